"""`snapseek previews`: make the previews that imported vectors lack."""

import argparse
from collections import Counter

from snapseek.cli.console import picture_progress, print_status
from snapseek.cli.interrupt import run_as_job
from snapseek.cli.options import (
    add_fetching,
    add_library_argument,
    add_progress,
    add_threads,
    add_trust,
    fetch_limits,
    nonempty_path,
    open_library,
)

_MAX_REASONS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [LIBRARY] and the folder of its originals."""
    add_library_argument(parser)
    add_trust(parser)
    parser.add_argument(
        "--originals",
        type=nonempty_path,
        metavar="DIR",
        help="folder that contains the originals; files outside it are not read",
    )
    add_threads(parser)
    add_fetching(parser)
    add_progress(parser)


def run(options: argparse.Namespace) -> int:
    """Make previews, then print how many failed and why."""
    return run_as_job(options.progress, lambda: _make(options))


def _make(options: argparse.Namespace) -> int:
    from snapseek.library.indexing.previews import preview_failures

    library = open_library(options)
    with picture_progress(options.progress) as report:
        done = library.previews(
            root=options.originals,
            limits=fetch_limits(options),
            threads=options.threads,
            retry_failed=options.retry_failed,
            progress=report,
        )
    failed = done.failed + done.tried
    if done.made or failed:
        print_status(f"{done.made} previews made" + (f", {failed} could not be made" if failed else ""))
    else:
        print_status("all previews are there")
    if done.not_allowed:
        print_status(f"{done.not_allowed} originals are files: pass their folder with --originals DIR")
    if done.unconfirmed:
        print_status(
            f"{done.unconfirmed} originals are at urls that the library names and you have not confirmed: "
            "pass --allow-urls, or import their table again"
        )
    for reason, pictures in Counter(preview_failures(library.info().path).values()).most_common(_MAX_REASONS):
        print_status(f"  {pictures} x {reason}")
    return 0
