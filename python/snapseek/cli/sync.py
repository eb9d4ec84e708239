"""`snapseek sync`: update a library from its folders."""

import argparse

from snapseek.cli.console import picture_bar, print_report, print_size
from snapseek.cli.options import (
    add_fetching,
    add_library,
    add_memory,
    add_picture_threads,
    fetch_limits,
    nonempty_path,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [FOLDER...] and how pictures are read."""
    parser.add_argument(
        "folders", nargs="*", type=nonempty_path, metavar="FOLDER", help="default: all folders of the library"
    )
    parser.add_argument(
        "--metadata",
        action="store_true",
        help="read the metadata of all pictures again, without embedding them",
    )
    add_library(parser)
    add_picture_threads(parser)
    add_fetching(parser)
    add_memory(parser)


def run(options: argparse.Namespace) -> None:
    """Sync, then print what changed."""
    from snapseek.library import Library
    from snapseek.library.paths import find_library

    library = Library.open(find_library(options.library))
    with picture_bar() as report:
        done = library.sync(
            options.folders or None,
            threads=options.threads,
            memory=options.memory,
            retry_failed=options.retry_failed,
            metadata=options.metadata,
            limits=fetch_limits(options),
            progress=report,
        )
    print_report(done)
    print_size(library)
