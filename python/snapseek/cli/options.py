"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapseek.library import Library
    from snapseek.models import Encoder
    from snapseek.sources import FetchLimits

_FOLDER_HELP = (
    "pictures at any depth; or a list of urls or paths (.txt .csv .tsv .jsonl .parquet), a .tar, a .parquet"
)
_MODEL_HELP = (
    "starter, small, recommended, best, a name of `snapseek models`, owner/name on the hub, or a directory; "
    "default: the model of the library, for a new one SNAPSEEK_MODEL, the recommended model if it is "
    "downloaded, or the starter"
)
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


def add_exclude(parser: argparse.ArgumentParser) -> None:
    """Add --exclude."""
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out files and folders by a pattern of gitignore, now and later; '!GLOB' includes again",
    )


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


def add_library(
    parser: argparse.ArgumentParser, default: Path | str | None = Path(), help_text: str = _LIBRARY_HELP
) -> None:
    """Add --library, for a command with other positional arguments.

    An action of a command passes SUPPRESS, so that the option may also stand before the action.
    """
    parser.add_argument("--library", type=nonempty_path, default=default, metavar="L", help=help_text)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add --allow-root and --allow-urls, for a command that opens a library."""
    parser.add_argument(
        "--allow-root",
        action="append",
        default=[],
        type=nonempty_path,
        metavar="DIR",
        help="let the library show and read what is below DIR, although you have not added it yourself",
    )
    parser.add_argument(
        "--allow-urls",
        action="store_true",
        help="let the library show and fetch pictures at urls, although you have not added them yourself",
    )


def open_readable(options: argparse.Namespace, encoder: Encoder | None = None) -> Library:
    """Open the library or the collection that the options name, to read it; None names the default."""
    from snapseek.cli.console import locate_default, locate_readable

    path = locate_default() if options.library is None else locate_readable(options.library)
    return _opened(path, options, encoder)


def open_library(options: argparse.Namespace, encoder: Encoder | None = None) -> Library:
    """Open the library that the options name."""
    from snapseek.cli.console import locate_library

    return _opened(locate_library(options.library), options, encoder)


def _opened(path: Path, options: argparse.Namespace, encoder: Encoder | None) -> Library:
    from snapseek.library import Library

    return Library.open(
        path,
        encoder=encoder,
        allow_roots=options.allow_root,
        allow_urls=options.allow_urls,
    )


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
    parser.add_argument("--model", metavar="M", help=_MODEL_HELP)
    add_memory(parser)
    add_exclude(parser)
    add_fetching(parser)
    add_progress(parser)


def add_progress(parser: argparse.ArgumentParser) -> None:
    """Add --progress, which servers pass to the jobs that they start."""
    parser.add_argument("--progress", choices=("bar", "json"), default="bar", help=argparse.SUPPRESS)


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
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="answer to this name too, such as the public name of a reverse proxy",
    )
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="believe X-Forwarded-For, -Proto, -Host and Forwarded of a reverse proxy at this IP address",
    )
    parser.add_argument(
        "--root-path",
        default="",
        metavar="PATH",
        help="path of the page at a reverse proxy, such as /pictures",
    )
