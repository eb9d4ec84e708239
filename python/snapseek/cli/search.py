"""`snapseek search`: the pictures that fit the words best."""

import argparse
import json
import os
import sys

from snapseek.cli.command import Command
from snapseek.cli.options import add_library
from snapseek.errors import ItemNotFoundError
from snapseek.library import Hit, Library
from snapseek.library.places import find_library
from snapseek.sources.picture import displayed

_FIELDS = ("id", "score", "uri", "width", "height", "color", "caption", "meta")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "query",
        nargs="+",
        metavar="WORDS",
        help="what to see: two dogs on a beach; horse + stripes - 2:snow; image:dog.jpg + night; id:17",
    )
    parser.add_argument("-k", type=int, default=20, metavar="N", help="how many (default: 20)")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--paths", action="store_true", help="print paths alone, one a line")
    add_library(parser)
    parser.add_argument("--tower", choices=("full", "fast"), default="full", help="fast: its student answers")


def _run(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.library))
    hits = library.search(" ".join(options.query), k=options.k, tower=options.tower)
    if options.paths:
        for hit in hits:
            sys.stdout.buffer.write(os.fsencode(_place(library, hit)) + b"\n")
    elif options.json:
        found = [{name: getattr(hit, name) for name in _FIELDS} for hit in hits]
        print(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        for hit in hits:
            print(f"{hit.score:.3f}  {displayed(_place(library, hit))}")


def _place(library: Library, hit: Hit) -> str:
    """The path of an original, or the address of one that was imported."""
    try:
        return str(library.original(hit.id))
    except ItemNotFoundError:
        return hit.uri


SEARCH = Command("search", "print the pictures that fit the words best", _arguments, _run)
