"""`snapseek demo`: index the pictures that come with snapseek, serve and open the page."""

import argparse

from snapseek.cli.console import print_status
from snapseek.cli.index import add_page_arguments, build_library
from snapseek.cli.open import serve_while_indexing
from snapseek.cli.options import nonempty_path

_EXAMPLES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [FOLDER...], how the library is made and how it is served."""
    parser.add_argument(
        "folders", nargs="*", type=nonempty_path, metavar="FOLDER", help="further pictures to index"
    )
    add_page_arguments(parser)


def run(options: argparse.Namespace) -> int | None:
    """Index the pictures and serve the page until it is stopped; without a page, print some searches."""
    from snapseek.library.paths import DEMO_PICTURES, demo_library

    folders, path = [DEMO_PICTURES, *options.folders], options.library or demo_library()
    if options.serve:
        return serve_while_indexing(folders, path, options)
    library = build_library(folders, path, options)
    for query in library.encoder.examples[:_EXAMPLES]:
        names = ", ".join(str(hit.meta["name"]) for hit in library.search(query, limit=3))
        print_status(f"  {query} → {names}")
    return None
