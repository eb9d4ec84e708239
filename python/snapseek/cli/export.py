"""`snapseek export`: write the records or vectors of a library for other programs."""

import argparse
import sys

from snapseek.cli.console import locate_readable, print_status, printable
from snapseek.cli.options import add_library, nonempty_path

FORMATS = ("csv", "json", "jsonl", "parquet", "npy")
_STDOUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare FILE and what is written to it."""
    parser.add_argument("out", type=nonempty_path, metavar="FILE", help="the file to write; - is stdout")
    parser.add_argument("--format", choices=FORMATS, help="default: by the extension of FILE")
    parser.add_argument(
        "--keep-text",
        action="store_true",
        help="in csv, keep texts that begin with = + - @ unchanged; spreadsheets run them as formulas",
    )
    add_library(parser)


def run(options: argparse.Namespace) -> None:
    """Write the file."""
    from snapseek.library import Library

    library = Library.open(locate_readable(options.library))
    if str(options.out) == _STDOUT:
        library.export(sys.stdout.buffer, options.format or "csv", keep_text=options.keep_text)
        return
    rows = library.export(options.out, options.format, keep_text=options.keep_text)
    print_status(f"{rows} pictures in {printable(str(options.out))}")
