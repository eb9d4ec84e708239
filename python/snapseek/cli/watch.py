"""`snapseek watch`: a library that follows its folders."""

import argparse

from snapseek.cli.command import Command
from snapseek.cli.notes import note, note_report, shown
from snapseek.cli.options import add_place, count
from snapseek.library import Library
from snapseek.library.places import find_library
from snapseek.library.watch import watch


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    parser.add_argument("--threads", type=count, metavar="N", help="pictures at a time (default: all cores)")


def _run(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.place))
    try:
        watch(
            library,
            threads=options.threads,
            on_start=lambda watched: note(
                f"watching {', '.join(shown(str(folder)) for folder in watched)} (Ctrl-C stops)"
            ),
            on_sync=note_report,
            on_problem=lambda sentence: note(shown(sentence)),
        )
    except KeyboardInterrupt:
        note("stopped watching; what was taken in stays")


WATCH = Command(
    "watch",
    "follow the folders of a library, as what is in them changes",
    _arguments,
    _run,
    "Needs snapseek[watch]. A served library shows what was taken up within a second.",
)
