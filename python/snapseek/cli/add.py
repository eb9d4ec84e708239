"""`snapseek add`: add folders or single pictures to a library."""

import argparse

from snapseek.cli.console import check_indexed, locate_library, picture_bar, print_report, print_size
from snapseek.cli.options import add_fetching, add_library, add_picture_threads, fetch_limits, nonempty_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare SOURCE... and how pictures are read."""
    parser.add_argument(
        "sources",
        nargs="+",
        type=nonempty_path,
        metavar="SOURCE",
        help="a folder, a picture, an archive, a list of urls",
    )
    add_library(parser)
    add_picture_threads(parser)
    add_fetching(parser)


def run(options: argparse.Namespace) -> None:
    """Add the pictures, then print what changed."""
    from snapseek.library import Library

    library = Library.open(locate_library(options.library))
    with picture_bar() as report:
        done = library.add(
            options.sources, threads=options.threads, limits=fetch_limits(options), progress=report
        )
    print_report(done)
    print_size(library)
    check_indexed(library, done)
