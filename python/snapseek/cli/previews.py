"""`snapseek previews`: make the previews that imported vectors lack."""

import argparse
from collections import Counter

from snapseek.cli.console import locate_library, picture_bar, print_status
from snapseek.cli.options import add_fetching, add_library_argument, add_threads, fetch_limits, nonempty_path

_MAX_REASONS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [LIBRARY] and the folder of its originals."""
    add_library_argument(parser)
    parser.add_argument(
        "--originals",
        type=nonempty_path,
        metavar="DIR",
        help="folder that contains the originals; files outside it are not read",
    )
    add_threads(parser)
    add_fetching(parser)


def run(options: argparse.Namespace) -> None:
    """Make previews, then print how many failed and why."""
    from snapseek.library import Library
    from snapseek.library.indexing.previews import preview_failures

    path = locate_library(options.library)
    library = Library.open(path)
    with picture_bar() as report:
        done = library.previews(
            root=options.originals,
            limits=fetch_limits(options),
            threads=options.threads,
            retry_failed=options.retry_failed,
            progress=report,
        )
    print_status(f"{done.made} previews made, {done.failed + done.tried} could not be made")
    if done.not_allowed:
        print_status(f"{done.not_allowed} originals are files: pass their folder with --originals DIR")
    for reason, pictures in Counter(preview_failures(path).values()).most_common(_MAX_REASONS):
        print_status(f"  {pictures} x {reason}")
