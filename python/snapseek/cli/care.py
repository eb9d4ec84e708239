"""`snapseek verify`, `repair` and `compact`: a library looked after."""

import argparse

from snapseek.cli.command import Command
from snapseek.cli.notes import note, note_size, shown, stage_bar
from snapseek.cli.options import add_memory, add_place, count
from snapseek.library import Library, repair, verify
from snapseek.library.places import find_library

_DAMAGED = 1


def _compact_arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    parser.add_argument("--threads", type=count, metavar="N", help="default: all cores")
    add_memory(parser)


def _verify(options: argparse.Namespace) -> int:
    problems = verify(find_library(options.place))
    for problem in problems:
        print(shown(str(problem)))
    mend = "mend them with: snapseek repair (files of others stay: move them away yourself)"
    note(f"{len(problems)} problems; {mend}" if problems else "nothing is wrong")
    return _DAMAGED if problems else 0


def _repair(options: argparse.Namespace) -> None:
    done = repair(find_library(options.place))
    for problem in done.problems:
        note(shown(str(problem)))
    if not done.problems:
        note("nothing was wrong")
    if done.to_embed:
        note(f"{done.to_embed} pictures are made again by: snapseek sync")
    for folder in done.to_import:
        note(f"import again: {shown(str(folder))}")


def _compact(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.place))
    with stage_bar() as report:
        done = library.compact(memory=options.memory, threads=options.threads, progress=report)
    note(f"parts: {done.after}, were {done.before}; removed pictures that are gone for good: {done.dropped}")
    note_size(library)


VERIFY = Command("verify", "read all of a library and say what is wrong", add_place, _verify)
REPAIR = Command(
    "repair",
    "take out what is broken and keep all else",
    add_place,
    _repair,
    "The next sync makes it again, under the ids that it had.",
)
COMPACT = Command("compact", "merge the parts of a library; needs no picture", _compact_arguments, _compact)
