"""`snapseek remove`: remove pictures from a library; their files stay."""

import argparse
from pathlib import Path

from snapseek.cli.console import locate_library, print_size, print_status
from snapseek.cli.options import add_library, nonempty_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare PICTURE... by id or path."""
    parser.add_argument(
        "pictures",
        nargs="+",
        type=_id_or_path,
        metavar="PICTURE",
        help="the id or the path of a picture, or a folder for all pictures below it",
    )
    add_library(parser)


def run(options: argparse.Namespace) -> None:
    """Remove the pictures, then print how many are left."""
    from snapseek.library import Library

    library = Library.open(locate_library(options.library))
    print_status(f"{library.remove(options.pictures)} pictures removed; their files stay")
    print_size(library)


def _id_or_path(text: str) -> int | Path:
    return int(text) if text.isdecimal() and text.isascii() else nonempty_path(text)
