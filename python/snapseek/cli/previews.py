"""`snapseek previews`: previews for pictures that came as vectors."""

import argparse
from collections import Counter

from snapseek.cli.command import Command
from snapseek.cli.notes import note, picture_bar
from snapseek.cli.options import add_fetching, add_place, count, limits_of, named_path
from snapseek.library import Library
from snapseek.library.changes.previews import preview_failures
from snapseek.library.places import find_library

_SHOWN_REASONS = 5


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    parser.add_argument(
        "--originals",
        type=named_path,
        metavar="DIR",
        help="folder in which originals that are files may be read",
    )
    parser.add_argument("--threads", type=count, metavar="N", help="default: all cores")
    add_fetching(parser)


def _run(options: argparse.Namespace) -> None:
    path = find_library(options.place)
    library = Library.open(path)
    with picture_bar() as report:
        done = library.previews(
            root=options.originals,
            limits=limits_of(options),
            threads=options.threads,
            retry_failed=options.retry_failed,
            progress=report,
        )
    note(f"{done.made} previews made, {done.failed + done.tried} could not be made")
    if done.not_allowed:
        note(f"{done.not_allowed} originals are files: name their folder with --originals DIR")
    for reason, pictures in Counter(preview_failures(path).values()).most_common(_SHOWN_REASONS):
        note(f"  {pictures} x {reason}")


PREVIEWS = Command("previews", "make the previews that imported vectors lack", _arguments, _run)
