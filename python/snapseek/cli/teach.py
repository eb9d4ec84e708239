"""`snapseek teach`: teach a library a word by pictures that show it."""

import argparse

from snapseek.cli.console import locate_readable, print_status, printable
from snapseek.cli.options import add_library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare NAME and the ids of pictures."""
    parser.add_argument("name", metavar="NAME", help="the word, such as rex; quote several words")
    parser.add_argument(
        "examples", nargs="*", type=_id, metavar="ID", help="the id of a picture that shows it"
    )
    parser.add_argument(
        "--not",
        dest="counterexamples",
        nargs="+",
        action="extend",
        default=[],
        type=_id,
        metavar="ID",
        help="ids of pictures that do not show it",
    )
    parser.add_argument(
        "--unmark",
        nargs="+",
        action="extend",
        default=[],
        type=_id,
        metavar="ID",
        help="ids of pictures whose marks are removed",
    )
    add_library(parser)


def run(options: argparse.Namespace) -> None:
    """Store the marks, then print how many there are and how to use the word."""
    from snapseek.library import Library

    library = Library.open(locate_readable(options.library))
    concept = library.teach(options.name, options.examples, options.counterexamples, unmark=options.unmark)
    name = printable(concept.name)
    quoted = f'"{name}"' if " " in name else name
    print_status(f"{name}: {len(concept.examples)} examples, {len(concept.counterexamples)} counterexamples")
    print_status(f"search for it with: snapseek search {quoted}, or select it with: is:{quoted}")


def _id(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) < 20):
        raise argparse.ArgumentTypeError(f"expected the id of a picture, got {text!r:.40}")
    return int(text)
