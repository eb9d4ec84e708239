"""`snapseek concepts`: list, rename, delete and export the words that a library was taught."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from snapseek.cli.console import locate_readable, print_status, printable
from snapseek.cli.options import add_library, nonempty_path

if TYPE_CHECKING:
    from snapseek.library import Library

_STDOUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [rename | delete | export] and their arguments."""
    add_library(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    rename = actions.add_parser("rename", help="give a word another name; its marks stay")
    rename.add_argument("name", metavar="NAME", help="the word")
    rename.add_argument("new_name", metavar="NEW", help="its new name; quote several words")
    delete = actions.add_parser("delete", help="forget words and their marks; the pictures stay")
    delete.add_argument("names", nargs="+", metavar="NAME", help="the words")
    export = actions.add_parser("export", help="write the words and their marked pictures as JSON")
    export.add_argument("out", type=nonempty_path, metavar="FILE", help="the file to write; - is stdout")
    for action in (rename, delete, export):
        add_library(action, argparse.SUPPRESS)


def run(options: argparse.Namespace) -> None:
    """List the words, or rename, delete or export them."""
    from snapseek.library import Library

    library = Library.open(locate_readable(options.library))
    if options.action == "rename":
        renamed = library.rename_concept(options.name, options.new_name)
        print_status(f"{printable(options.name)} is now {printable(renamed.name)}")
    elif options.action == "delete":
        for name in options.names:
            library.concept(name)  # refuses an unknown name before any is deleted
        for name in options.names:
            library.delete_concept(name)
            print_status(f"{printable(name)} is forgotten")
    elif options.action == "export":
        out = str(options.out)
        count = library.export_concepts(sys.stdout.buffer if out == _STDOUT else out)
        if out != _STDOUT:
            print_status(f"{count} words in {printable(out)}")
    else:
        _print_list(library)


def _print_list(library: Library) -> None:
    for concept in library.concepts():
        marks = f"{len(concept.examples)} examples, {len(concept.counterexamples)} counterexamples"
        print(f"{printable(concept.name):24} {marks}")
    print_status("teach a word with: snapseek teach NAME ID...")
