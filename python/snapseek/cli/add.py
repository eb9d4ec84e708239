"""`snapseek add`: add folders or single pictures to a library."""

import argparse

from snapseek.cli.console import check_indexed, picture_progress, print_report, print_size
from snapseek.cli.options import (
    add_exclude,
    add_fetching,
    add_library,
    add_picture_threads,
    add_progress,
    add_trust,
    fetch_limits,
    nonempty_path,
    open_library,
)


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
    add_trust(parser)
    add_picture_threads(parser)
    add_exclude(parser)
    add_fetching(parser)
    add_progress(parser)


def run(options: argparse.Namespace) -> None:
    """Add the pictures, then print what changed."""
    library = open_library(options)
    with picture_progress(options.progress) as report:
        done = library.add(
            options.sources,
            threads=options.threads,
            exclude=options.exclude,
            limits=fetch_limits(options),
            progress=report,
        )
    print_report(done, library.info().path)
    print_size(library)
    check_indexed(library, done)
