"""`snapseek sync`: update a library from its folders."""

import argparse

from snapseek.cli.console import picture_bar, print_report, print_size
from snapseek.cli.options import (
    add_fetching,
    add_library,
    add_memory,
    add_picture_threads,
    add_trust,
    fetch_limits,
    nonempty_path,
    open_library,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [FOLDER...] and how pictures are read."""
    parser.add_argument(
        "folders", nargs="*", type=nonempty_path, metavar="FOLDER", help="default: all folders of the library"
    )
    add_library(parser)
    add_trust(parser)
    add_picture_threads(parser)
    add_fetching(parser)
    add_memory(parser)


def run(options: argparse.Namespace) -> None:
    """Sync, then print what changed."""
    library = open_library(options)
    with picture_bar() as report:
        done = library.sync(
            options.folders or None,
            threads=options.threads,
            memory=options.memory,
            retry_failed=options.retry_failed,
            limits=fetch_limits(options),
            progress=report,
        )
    print_report(done, library.info().path)
    print_size(library)
