"""Arguments that several commands have."""

import argparse
from pathlib import Path

from snapseek.sources import Limits

_FOLDER_HELP = "pictures at any depth; or a list of urls (.txt .csv .tsv .jsonl .parquet), a .tar, a .parquet"
_MODEL_HELP = "'starter', a name of `snapseek models`, owner/name of the hub, or a directory"


def count(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, found {value}")
    return value


def named_path(text: str) -> Path:
    """A path. An empty one is refused, where Path makes it the folder one is in."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, found an empty text: a variable that is not set?")
    return Path(text)


def add_folders(parser: argparse.ArgumentParser) -> None:
    """FOLDER..."""
    parser.add_argument("folders", nargs="+", type=named_path, metavar="FOLDER", help=_FOLDER_HELP)


def add_fetching(parser: argparse.ArgumentParser) -> None:
    """What is tried again, and from where pictures of the web may come."""
    parser.add_argument("--retry-failed", action="store_true", help="try again what failed before")
    parser.add_argument(
        "--allow-private", action="store_true", help="fetch urls of this machine and its network, too"
    )


def limits_of(options: argparse.Namespace) -> Limits:
    """How urls are fetched."""
    return Limits(allow_private=options.allow_private)


def add_place(parser: argparse.ArgumentParser) -> None:
    """[LIBRARY]: a library, or the folder that it is in."""
    parser.add_argument(
        "place",
        nargs="?",
        type=named_path,
        default=Path(),
        metavar="LIBRARY",
        help="default: that of this folder",
    )


def add_library(parser: argparse.ArgumentParser) -> None:
    """--library of a command whose first words are something else."""
    parser.add_argument(
        "--library", type=named_path, default=Path(), metavar="L", help="default: that of this folder"
    )


def add_memory(parser: argparse.ArgumentParser) -> None:
    """--memory."""
    parser.add_argument(
        "--memory", metavar="SIZE", help="bound of the vectors of a large library, such as 540MB"
    )


def add_model_dir(parser: argparse.ArgumentParser) -> None:
    """--model-dir."""
    parser.add_argument(
        "--model-dir", type=named_path, metavar="D", help="folder of models (default: in your cache)"
    )


def add_building(parser: argparse.ArgumentParser) -> None:
    """Where a library of pictures goes, and what makes it."""
    add_model_dir(parser)
    parser.add_argument("--library", type=named_path, metavar="L", help="where the library goes")
    parser.add_argument("--threads", type=count, metavar="N", help="pictures at a time (default: all cores)")
    parser.add_argument("--model", default="starter", metavar="M", help=_MODEL_HELP)
    add_memory(parser)
    add_fetching(parser)


def add_serving(parser: argparse.ArgumentParser) -> None:
    """Where a library is served, and by which towers."""
    parser.add_argument(
        "--fast-model",
        type=named_path,
        metavar="DIR",
        help="a student of the library's model, for ?tower=fast",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000; 0 = any)")
    parser.add_argument(
        "--token",
        metavar="T",
        help="what others have to know to ask (better: SNAPSEEK_TOKEN, which no list shows)",
    )
    parser.add_argument(
        "--insecure", action="store_true", help="let whoever reaches --host see every picture"
    )
    parser.add_argument(
        "--allow-origin", action="append", default=[], metavar="URL", help="let pages of this origin ask"
    )
