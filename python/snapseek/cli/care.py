"""`snapseek verify`, `repair` and `compact`: a library that stays whole and quick."""

import argparse

from snapseek.cli.command import Command
from snapseek.cli.notes import note, stage_bar
from snapseek.cli.options import add_memory, add_place, count
from snapseek.library import Library
from snapseek.library.places import find_library
from snapseek.library.repair import repair
from snapseek.library.verify import verify
from snapseek.sources.picture import displayed

_DAMAGED = 1


def _verify(options: argparse.Namespace) -> int:
    """What is damaged may not open, so the directory is asked, not a `Library`."""
    place = find_library(options.place)
    with stage_bar() as advance:
        problems = verify(place, lambda share: advance("verify", share))
    for problem in problems:
        print(displayed(str(problem)))
    shown = displayed(str(place))
    if problems:
        note(f"{len(problems)} problems in {shown}; mend it with: snapseek repair {shown}", style="red")
        return _DAMAGED
    note(f"{shown} is whole")
    return 0


def _repair(options: argparse.Namespace) -> None:
    place = find_library(options.place)
    report = repair(place)
    shown = displayed(str(place))
    if not report.problems:
        note(f"{shown} is whole; nothing was changed")
        return
    for problem in report.problems:
        print(displayed(str(problem)))
    note(f"{len(report.problems)} problems mended, {report.shards_dropped} broken shards dropped")
    if report.to_embed:
        note(f"{report.to_embed} pictures are to be embedded again: snapseek sync {shown}")
    for folder in report.to_import:
        note(f"vectors are to be imported again: snapseek import {displayed(str(folder))} --library {shown}")


def _compact_arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    add_memory(parser)
    parser.add_argument("--threads", type=count, metavar="N", help="default: all cores")


def _compact(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.place))
    before = library.info().size_bytes
    with stage_bar() as advance:
        report = library.compact(memory=options.memory, threads=options.threads, progress=advance)
    after = library.info().size_bytes
    note(
        f"{report.before} shards became {report.after}, {report.dropped} removed pictures dropped, "
        f"{before / 1e6:.1f} MB became {after / 1e6:.1f} MB"
    )


VERIFY = Command(
    "verify",
    "read all of a library and say what is damaged",
    add_place,
    _verify,
    "Prints nothing and exits with 0 where it is whole, otherwise a line for each problem and exits with 1.",
)
REPAIR = Command(
    "repair",
    "take out what is damaged and keep all else",
    add_place,
    _repair,
    "Needs no picture; sync then embeds again what was lost, with the ids that it had.",
)
COMPACT = Command(
    "compact",
    "make one shard of many, and drop what was removed",
    _compact_arguments,
    _compact,
    "Needs no picture. It happens by itself when small shards pile up.",
)
