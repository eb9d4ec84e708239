"""`snapseek sync`: update a library from its folders."""

import argparse

from snapseek.cli.console import check_indexed, locate_library, picture_bar, print_report, print_size
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
    add_library(parser)
    add_picture_threads(parser)
    add_fetching(parser)
    add_memory(parser)


def run(options: argparse.Namespace) -> None:
    """Sync, then print what changed."""
    from snapseek.library import Library

    library = Library.open(locate_library(options.library))
    with picture_bar() as report:
        done = library.sync(
            options.folders or None,
            threads=options.threads,
            memory=options.memory,
            retry_failed=options.retry_failed,
            limits=fetch_limits(options),
            progress=report,
        )
    print_report(done)
    print_size(library)
    check_indexed(library, done)
