"""`snapseek export`: what a library knows, for other programs."""

import argparse
import sys

from snapseek.cli.command import Command
from snapseek.cli.notes import note, shown
from snapseek.cli.options import add_library, named_path
from snapseek.library import Library
from snapseek.library.export import KINDS
from snapseek.library.places import find_library

_STDOUT = "-"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=named_path, metavar="FILE", help="where to; - is stdout")
    parser.add_argument("--format", choices=KINDS, help="default: as the file's name ends")
    parser.add_argument(
        "--keep-text",
        action="store_true",
        help="in csv, leave texts that begin with = + - @ as they are; spreadsheets run them as formulas",
    )
    add_library(parser)


def _run(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.library))
    if str(options.out) == _STDOUT:
        library.export(sys.stdout.buffer, options.format or "csv", keep_text=options.keep_text)
        return
    rows = library.export(options.out, options.format, keep_text=options.keep_text)
    note(f"{rows} pictures in {shown(str(options.out))}")


EXPORT = Command(
    "export",
    "write what a library knows of its pictures as csv, json, parquet; vectors as npy",
    _arguments,
    _run,
)
