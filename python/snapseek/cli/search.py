"""`snapseek search`: print the pictures that match a query best."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from snapseek.cli.console import printable
from snapseek.cli.options import add_library, count
from snapseek.errors import ItemNotFoundError

if TYPE_CHECKING:
    import argparse

    from snapseek.library import Hit, Library

SORTS = ("relevance", "newest", "oldest", "size")
MODES = ("clip", "words", "both")
_FIELDS = ("id", "score", "uri", "width", "height", "color", "caption", "meta", "similar")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """QUERY, how its pictures are selected and ordered, and how they are printed."""
    parser.add_argument(
        "query",
        nargs="+",
        metavar="QUERY",
        help="two dogs on a beach; horse + stripes - 2:snow; image:dog.jpg + night; id:17; "
        '"red car after:2023 -tag:draft"; put -- before a query that begins with -',
    )
    parser.add_argument("-k", type=count, default=20, metavar="N", help="number of results (default: 20)")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--paths", action="store_true", help="print only paths, one per line")
    add_library(parser)
    parser.add_argument("--where", metavar="FILTER", help="further filters: year:2019..2021 in:holiday")
    parser.add_argument("--sort", choices=SORTS, default="relevance", help="default: relevance")
    parser.add_argument("--min-score", type=float, metavar="S", help="omit results with a lower score")
    parser.add_argument("--fold", action="store_true", help="show near-duplicates as one result")
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="clip",
        help="clip: compare pictures with the query (default); words: search captions, titles, names and "
        "tags; both: join the two",
    )
    parser.add_argument(
        "--tower", choices=("full", "fast"), default="full", help="text tower; fast is the distilled one"
    )


def run(options: argparse.Namespace) -> None:
    """Search, then print one line per result."""
    from snapseek.library import Library
    from snapseek.library.paths import find_library

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
            sys.stdout.buffer.write(os.fsencode(_location(library, hit)) + b"\n")
    elif options.json:
        found = [{name: getattr(hit, name) for name in _FIELDS} for hit in hits]
        narrow = not (sys.stdout.encoding or "").lower().startswith("utf")
        print(json.dumps(found, ensure_ascii=narrow, indent=1))
    else:
        for hit in hits:
            score = "     " if hit.score is None else f"{hit.score:.3f}"
            similar = f"  +{len(hit.similar)} similar" if hit.similar else ""
            print(f"{score}  {printable(_location(library, hit))}{similar}")


def _location(library: Library, hit: Hit) -> str:
    """Return the path of an original, or the url of an imported one."""
    try:
        return str(library.original_path(hit.id))
    except ItemNotFoundError:
        return hit.uri
