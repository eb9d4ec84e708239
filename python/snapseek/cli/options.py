"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapseek.sources import FetchLimits

_FOLDER_HELP = (
    "pictures at any depth; or a list of urls or paths (.txt .csv .tsv .jsonl .parquet), a .tar, a .parquet"
)
_MODEL_HELP = "'starter', a name of `snapseek models`, owner/name on the hub, or a directory"
_LIBRARY_HELP = "default: the library of the current directory, or of the next one above"


def count(text: str) -> int:
    """Parse a whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
    return value


def nonempty_path(text: str) -> Path:
    """Parse a path. An empty one is refused, although Path would read it as the current directory."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, got an empty text: is a variable not set?")
    return Path(text)


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add FOLDER..."""
    parser.add_argument("folders", nargs="+", type=nonempty_path, metavar="FOLDER", help=_FOLDER_HELP)


def add_fetching(parser: argparse.ArgumentParser) -> None:
    """Add --retry-failed and --allow-private."""
    parser.add_argument("--retry-failed", action="store_true", help="retry pictures that failed before")
    parser.add_argument(
        "--allow-private", action="store_true", help="fetch urls of this machine and its network, too"
    )


def fetch_limits(options: argparse.Namespace) -> FetchLimits:
    """Return the limits that the options set for fetching urls."""
    from snapseek.sources import FetchLimits

    return FetchLimits(allow_private=options.allow_private)


def add_library_argument(parser: argparse.ArgumentParser) -> None:
    """Add [LIBRARY]: a library, or the folder that contains it."""
    parser.add_argument(
        "library", nargs="?", type=nonempty_path, default=Path(), metavar="LIBRARY", help=_LIBRARY_HELP
    )


def add_library(parser: argparse.ArgumentParser) -> None:
    """Add --library, for a command with other positional arguments."""
    parser.add_argument("--library", type=nonempty_path, default=Path(), metavar="L", help=_LIBRARY_HELP)


def add_memory(parser: argparse.ArgumentParser) -> None:
    """Add --memory."""
    parser.add_argument(
        "--memory", metavar="SIZE", help="memory limit for the vectors of a large library, such as 540MB"
    )


def add_model_dir(parser: argparse.ArgumentParser) -> None:
    """Add --model-dir."""
    parser.add_argument(
        "--model-dir", type=nonempty_path, metavar="D", help="folder of models (default: in your cache)"
    )


def add_threads(parser: argparse.ArgumentParser, help_text: str = "default: all cores") -> None:
    """Add --threads."""
    parser.add_argument("--threads", type=count, metavar="N", help=help_text)


def add_picture_threads(parser: argparse.ArgumentParser) -> None:
    """Add --threads of a command that reads pictures."""
    add_threads(parser, "pictures read at the same time (default: all cores)")


def add_building(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that indexes pictures."""
    add_model_dir(parser)
    parser.add_argument("--library", type=nonempty_path, metavar="L", help="where to write the library")
    add_picture_threads(parser)
    parser.add_argument("--model", default="starter", metavar="M", help=_MODEL_HELP)
    add_memory(parser)
    add_fetching(parser)


def add_serving(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that serves a library."""
    parser.add_argument(
        "--fast-model",
        type=nonempty_path,
        metavar="DIR",
        help="a student of the library's model, for ?model=fast",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument(
        "--port", type=int, help="port to listen on; 0 = any (default: 8000, or the next free one)"
    )
    parser.add_argument(
        "--token",
        metavar="T",
        help="require this access token; prefer SNAPSEEK_TOKEN, which does not appear in process listings",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="allow remote access without a token (anyone who can reach HOST can view every picture)",
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="URL",
        help="allow web pages of this origin to send requests",
    )
