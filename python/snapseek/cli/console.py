"""Status, errors and progress bars: printed on stderr, so that stdout has only results."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections import Counter
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from snapseek.errors import InputError, LibraryNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rich.console import Console

    from snapseek.errors import SnapseekError
    from snapseek.library import Library, SyncReport
    from snapseek.library import Progress as IndexProgress

_NAMES_AND_NUMBERS = re.compile(r"'[^']*'|\S*[\d/]\S*")
_MOVED = ". If it has moved: snapseek remove the old folder, then add the new one"


def printable(text: str) -> str:
    """Return a name with every control character and undecodable byte escaped or replaced."""
    name = os.fsencode(text).decode("utf-8", "replace")
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) == "Cc" else letter
        for letter in name
    )


def print_status(text: str, *, style: str | None = None) -> None:
    """Print a line on stderr."""
    _console().print(text, markup=False, style=style)


def print_error(error: SnapseekError) -> None:
    """Print an error, then its hint on a line of its own."""
    print_status(f"snapseek: {printable(error.summary)}", style="red")
    if error.hint:
        print_status(f"hint: {printable(error.hint)}")


def locate_library(path: Path) -> Path:
    """Return the library at `path`, or of the next folder above it; say which one if it is above.

    Raises LibraryNotFoundError if there is none.
    """
    from snapseek.library.paths import find_library, find_library_above

    try:
        return find_library(path)
    except LibraryNotFoundError:
        found = find_library_above(path)
        if found is None:
            raise
    owner = "" if _is_own(found) else ", which belongs to another user"
    print_status(f"library {printable(str(found))}, found above{owner}")
    return found


def _is_own(path: Path) -> bool:
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()


def print_size(library: Library) -> None:
    """Print the size of a library, and how many pictures could not be read."""
    info = library.info()
    listing = f"snapseek info {shlex.quote(printable(str(info.path)))} --failed"
    failed = f", {info.failed} could not be read ({listing})" if info.failed else ""
    print_status(f"{info.count} pictures, {info.size_bytes / 1e6:.1f} MB{failed}")


def check_indexed(library: Library, report: SyncReport) -> None:
    """Raise InputError with the most frequent reason if there was something to index, and nothing was."""
    done = report.added + report.updated + report.moved + report.unchanged + report.removed
    if len(library) and (done or not report.failed):
        return
    failures = library.failures()
    if not failures:
        return
    counts = Counter(_kind_of(failure.reason) for failure in failures)
    kind, count = counts.most_common(1)[0]
    example = next(failure for failure in failures if _kind_of(failure.reason) == kind)
    where = shlex.quote(printable(str(library.info().path)))
    raise InputError(
        f"nothing was indexed: {len(failures)} could not be read; for {count} of them the reason is: "
        f"{example.reason} ({printable(str(example.path))})",
        hint=f"list all reasons with: snapseek info {where} --failed",
    )


def _kind_of(reason: str) -> str:
    """Return a reason without the names and numbers in it."""
    return _NAMES_AND_NUMBERS.sub("", reason)


def print_report(report: SyncReport) -> None:
    """Print what a sync changed, and what it skipped."""
    counts = {
        "added": report.added,
        "updated": report.updated,
        "moved": report.moved,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "unreadable": report.failed,
    }
    changes = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    print_status(changes or "nothing to do")
    for folder in report.missing:
        print_status(f"{printable(str(folder))} is missing or empty; its pictures were kept{_MOVED}")
    for line in report.notes:
        print_status(printable(line))
    if report.compaction_skipped:
        print_status(f"small shards were not merged: {printable(report.compaction_skipped)}")


def print_missing_folders(library: Library) -> None:
    """Print which folders of a library are missing. Pictures of a moved folder are in the library twice."""
    for folder in library.info().folders:
        if not os.access(folder, os.F_OK):
            print_status(
                f"the library also has pictures of {printable(str(folder))}, which is missing{_MOVED}"
            )


@contextmanager
def picture_bar() -> Iterator[Callable[[IndexProgress], None]]:
    """Show a progress bar of pictures with their rate, if stderr is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    console = _console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("index", total=None, rate="")

        def report(progress: IndexProgress) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.0f} pictures/s" if speed else ""
            bar.update(task, completed=progress.done, total=progress.total, rate=rate)

        yield report


@contextmanager
def stage_bar(rows: int = 0) -> Iterator[Callable[[str, float], None]]:
    """Show a progress bar of named stages, if stderr is a terminal; of `rows`, with their count and rate."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    count = TextColumn("{task.fields[count]}")
    columns = (TextColumn("{task.description}"), BarColumn(), count, TimeRemainingColumn())
    console = _console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0, count="")

        def report(stage: str, share: float) -> None:
            speed = bar.tasks[0].speed or 0.0
            count = f"{share * rows:.0f}/{rows}, {speed * rows:.0f}/s" if rows else ""
            bar.update(task, description=stage, completed=share, count=count)

        yield report


@lru_cache(maxsize=1)
def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)
