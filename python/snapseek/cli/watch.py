"""`snapseek watch`: a library that keeps in step with its folders by itself."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from snapseek.cli.command import Command
from snapseek.cli.notes import note, note_report
from snapseek.cli.options import add_followed, add_memory, count, followed
from snapseek.library.watch import watch
from snapseek.sources.picture import displayed


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_followed(parser)
    parser.add_argument("--threads", type=count, metavar="N", help="pictures at a time (default: all cores)")
    add_memory(parser)


def _run(options: argparse.Namespace) -> None:
    library, folders = followed(options)
    try:
        watch(
            library,
            folders,
            threads=options.threads,
            memory=options.memory,
            on_start=_note_start,
            on_sync=note_report,
            on_problem=lambda sentence: note(displayed(sentence)),
        )
    except KeyboardInterrupt:
        note("stopped watching; what was taken in stays")


def _note_start(folders: Sequence[Path]) -> None:
    note(f"watching {', '.join(displayed(str(folder)) for folder in folders)} (Ctrl-C stops)")


WATCH = Command(
    "watch",
    "sync whenever something changes in the folders of a library",
    _arguments,
    _run,
    "Needs snapseek[watch]. A server shows what was taken up within a second.",
)
