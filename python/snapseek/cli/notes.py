"""What is said to the person at the terminal: on stderr, so that stdout holds results alone."""

import os
import shlex
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from snapseek.library import Library, SyncReport
from snapseek.library import Progress as IndexProgress
from snapseek.sources.picture import displayed

_NOTES = Console(stderr=True, highlight=False, soft_wrap=True)
_MOVED = ". If it has moved: snapseek remove the old folder, then add the new one"


def shown(text: str) -> str:
    """A name that can be printed whatever it is: what ends a line or commands a terminal is escaped."""
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) == "Cc" else letter
        for letter in displayed(text)
    )


def note(text: str, *, style: str | None = None) -> None:
    """Say a line."""
    _NOTES.print(text, markup=False, style=style)


def note_size(library: Library) -> None:
    """Say how large a library has become, and how many pictures are missing in it."""
    info = library.info()
    which = f"snapseek info {shlex.quote(shown(str(info.path)))} --failed"
    broken = f", {info.failed} could not be read ({which})" if info.failed else ""
    note(f"{info.count} pictures, {info.size_bytes / 1e6:.1f} MB{broken}")


def note_report(report: SyncReport) -> None:
    """Say what a sync did, and what it left out."""
    counts = {
        "added": report.added,
        "updated": report.updated,
        "moved": report.moved,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "unreadable": report.failed,
    }
    note(", ".join(f"{number} {name}" for name, number in counts.items() if number) or "nothing to do")
    for folder in report.missing:
        note(f"{shown(str(folder))} is not there or empty; its pictures were left as they were{_MOVED}")
    for line in report.notes:
        note(shown(line))
    if report.put_off:
        note(f"small parts were not merged: {shown(report.put_off)}")


def note_gone(library: Library) -> None:
    """Say which folders of a library are not there: pictures of one that moved are in it twice."""
    for folder in library.info().folders:
        if not os.access(folder, os.F_OK):
            note(f"the library has pictures of {shown(str(folder))} too, which is not there{_MOVED}")


@contextmanager
def picture_bar() -> Iterator[Callable[[IndexProgress], None]]:
    """A bar that counts pictures, with their rate; nothing where nobody looks."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_NOTES, transient=True, disable=not _NOTES.is_terminal) as bar:
        task = bar.add_task("index", total=None, rate="")

        def report(progress: IndexProgress) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.0f} pictures/s" if speed else ""
            bar.update(task, completed=progress.done, total=progress.total, rate=rate)

        yield report


@contextmanager
def stage_bar() -> Iterator[Callable[[str, float], None]]:
    """A bar of named stages, each with the share of it that is done; nothing where nobody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_NOTES, transient=True, disable=not _NOTES.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda stage, share: bar.update(task, description=stage, completed=share)
