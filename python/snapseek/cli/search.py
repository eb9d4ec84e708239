"""`snapseek search`: the pictures that fit the words best."""

import argparse
import json
import os
import sys
from typing import get_args

from snapseek.cli.command import Command
from snapseek.cli.notes import shown
from snapseek.cli.options import add_library, count
from snapseek.errors import ItemNotFoundError
from snapseek.library import Hit, Library
from snapseek.library.places import find_library
from snapseek.library.queries.request import Mode, Sort

_FIELDS = ("id", "score", "uri", "width", "height", "color", "caption", "meta", "similar")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "query",
        nargs="+",
        metavar="WORDS",
        help="what to see: two dogs on a beach; horse + stripes - 2:snow; image:dog.jpg + night; id:17; "
        '"red car after:2023 -tag:draft"; -- before a first word that begins with -',
    )
    parser.add_argument("-k", type=count, default=20, metavar="N", help="how many (default: 20)")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--paths", action="store_true", help="print paths alone, one a line")
    add_library(parser)
    parser.add_argument("--where", metavar="FILTER", help="further filters: year:2019..2021 in:holiday")
    parser.add_argument("--sort", choices=get_args(Sort), default="relevance", help="default: relevance")
    parser.add_argument("--min-score", type=float, metavar="S", help="leave out what scores less")
    parser.add_argument("--fold", action="store_true", help="show nearly the same pictures as one")
    parser.add_argument(
        "--mode",
        choices=get_args(Mode),
        default="clip",
        help="words: find the words in captions, titles, names and tags; both: join that with what is seen",
    )
    parser.add_argument("--tower", choices=("full", "fast"), default="full", help="fast: its student answers")


def _run(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.library))
    hits = library.search(
        " ".join(options.query),
        k=options.k,
        tower=options.tower,
        where=options.where,
        sort=options.sort,
        min_score=options.min_score,
        fold=options.fold,
        mode=options.mode,
    )
    if options.paths:
        for hit in hits:
            sys.stdout.buffer.write(os.fsencode(_place(library, hit)) + b"\n")
    elif options.json:
        found = [{name: getattr(hit, name) for name in _FIELDS} for hit in hits]
        narrow = not (sys.stdout.encoding or "").lower().startswith("utf")
        print(json.dumps(found, ensure_ascii=narrow, indent=1))
    else:
        for hit in hits:
            score = "     " if hit.score is None else f"{hit.score:.3f}"
            similar = f"  +{len(hit.similar)} similar" if hit.similar else ""
            print(f"{score}  {shown(_place(library, hit))}{similar}")


def _place(library: Library, hit: Hit) -> str:
    """The path of an original, or the address of one that was imported."""
    try:
        return str(library.original(hit.id))
    except ItemNotFoundError:
        return hit.uri


SEARCH = Command("search", "print the pictures that fit the words best", _arguments, _run)
