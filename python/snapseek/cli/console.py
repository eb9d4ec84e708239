"""Status, errors and progress bars: printed on stderr, so that stdout has only results."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING

from snapseek.errors import InputError, LibraryNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from snapseek.errors import SnapseekError
    from snapseek.library import Library, SyncReport
    from snapseek.library import Progress as IndexProgress
    from snapseek.server.jobs import JobRunner
    from snapseek.sources.folder import SkippedKind

_JOB_POLL_S = 0.25
_JSON_INTERVAL_S = 0.2
_NAMES_AND_NUMBERS = re.compile(r"'[^']*'|\S*[\d/]\S*")
_MOVED = ". If it has moved: snapseek add the new folder, which is recognized by its pictures"


StageReport = Callable[[str, int, int, int], object]
"""Called with a stage, how much of it is done, how much it is, and how much failed."""


def printable(text: str) -> str:
    """Return a name with every control character and undecodable byte escaped or replaced."""
    name = os.fsencode(text).decode("utf-8", "replace")
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) == "Cc" else letter
        for letter in name
    )


def print_status(text: str, *, style: str | None = None) -> None:
    """Print a line on stderr, if that is open."""
    if sys.stderr is None:  # closed by a supervisor, or a program without a console
        return
    if sys.stderr.isatty() or _console.cache_info().currsize:  # a progress bar may be below the line
        _console().print(text, markup=False, emoji=False, style=style)
    else:  # rich takes a while to import, and has nothing to add
        print(text, file=sys.stderr)


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


def locate_default() -> Path:
    """Return what `locate_readable` finds in the current directory, else the library that was opened last.

    Says which one if it is not in the current directory. Raises LibraryNotFoundError if there is none.
    """
    from pathlib import Path

    from snapseek.library.paths import source_of
    from snapseek.library.recent import recent_libraries

    try:
        return locate_readable(Path())
    except LibraryNotFoundError:
        last = next(iter(recent_libraries()), None)
        if last is None:
            raise
    print_status(f"Searching in {printable(str(source_of(last)))} (--library chooses another)")
    return last


def locate_readable(path: Path) -> Path:
    """Return the manifest of a collection at `path`, else what `locate_library` returns."""
    from snapseek.collection.manifest import manifest_path
    from snapseek.library.paths import library_at

    if library_at(path) is None and (manifest := manifest_path(path)) is not None:
        return manifest
    return locate_library(path)


def _is_own(path: Path) -> bool:
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()


def print_size(library: Library) -> None:
    """Print the size of a library, and how many pictures could not be read."""
    info = library.info()
    listing = f"snapseek info {_quoted(printable(str(info.path)))} --failed"
    failed = f", {info.failed} could not be read ({listing})" if info.failed else ""
    print_status(f"{info.count} pictures, {info.size_bytes / 1e6:.1f} MB{failed}")


def print_offer(model: str) -> None:
    """Name the way to a better model, if this one is the starter."""
    from snapseek.models.catalogue import TIERS, find_entry
    from snapseek.models.hub.resolve import STARTER

    if model == STARTER:
        sizes = {tier: f"{entry.size_bytes / 1e6:.0f} MB" for tier in TIERS if (entry := find_entry(tier))}
        print_status(
            "this is the small built-in model; CLIP understands sentences: snapseek upgrade "
            f"(downloads {sizes['recommended']}), or snapseek upgrade small ({sizes['small']})",
            style="bold",
        )


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


def print_report(report: SyncReport, library: Path | None = None) -> None:
    """Print what a sync of the library at a path changed, and what it skipped."""
    if report.is_stopped:
        print_status("stopped; what was embedded is in the library. Run the command again to go on")
    counts = {
        "added": report.added,
        "updated": report.updated,
        "moved": report.moved,
        "with new metadata": report.described,
        "removed": report.removed,
        "unchanged": report.unchanged - report.failed_before - report.removed_before,
        "unreadable": report.failed,
        "unreadable as before": report.failed_before,
        "removed by you before": report.removed_before,
    }
    changes = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    print_status(changes or "nothing to do")
    for folder in report.missing:
        print_status(f"{printable(str(folder))} is missing, empty or unreadable; its pictures were kept")
        accept = f"snapseek sync --accept-missing {shlex.quote(printable(str(folder)))}"
        print_status("hint: mount the disk, or if it has moved, add the new folder with: snapseek add")
        print_status(f"hint: if its pictures are gone for good, run: {accept}")
    if report.raw:
        print_status(f"RAW files, shown by the picture inside: {report.raw}")
    if report.video:
        print_status(f"videos, shown by one frame: {report.video}")
    if report.duplicates:
        print_status(f"pictures reached by two ways, in the library once: {report.duplicates}")
    print_skipped(report.skipped)
    if library is not None:
        print_unconfirmed(report.unconfirmed, library)
    for line in report.notes:
        print_status(printable(line))
    if report.compaction_skipped:
        print_status(f"small shards were not merged: {printable(report.compaction_skipped)}")


def print_unconfirmed(sources: Sequence[Path], library: Path) -> None:
    """Print which folders a library names that the user has not confirmed, and how to confirm them."""
    if not sources:
        return
    first = printable(str(sources[0]))
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    print_status(
        f"this library names {first}{more}, which you have not added yourself: originals there are not shown "
        f"and not synchronized; if you trust it, run: snapseek add {shlex.quote(first)} --library "
        f"{shlex.quote(printable(str(library)))}"
    )


def print_skipped(skipped: Sequence[SkippedKind]) -> None:
    """Print how many files of each kind were not read as pictures, and how to have them read."""
    from snapseek.library.indexing.skipped import describe_skipped, install_hint

    if found := describe_skipped(skipped):
        print_status(f"skipped: {printable(', '.join(found))}")
    if hint := install_hint(skipped):
        print_status(f"hint: {hint}")


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
def picture_progress(form: str) -> Iterator[Callable[[IndexProgress], None]]:
    """Show progress as a bar on stderr, or write it as JSON lines to stdout (`json`)."""
    if form != "json":
        with picture_bar() as report:
            yield report
        return

    def write(progress: IndexProgress) -> None:
        sys.stdout.write(json.dumps({"stage": "embed", **asdict(progress)}) + "\n")
        sys.stdout.flush()

    yield write


def print_stage(form: str, stage: str) -> None:
    """Write the start of a stage that has no numbers as a JSON line to stdout, if that is the form."""
    if form == "json":
        sys.stdout.write(
            json.dumps({"stage": stage, "done": 0, "total": 0, "failed": 0, "skipped": 0}) + "\n"
        )
        sys.stdout.flush()


@contextmanager
def upgrade_progress(form: str) -> Iterator[StageReport]:
    """Show the stages of an upgrade as a bar on stderr, or write them as JSON lines to stdout (`json`)."""
    if form == "json":
        written_s, last_stage = -1.0, ""

        def write(stage: str, done: int, total: int, failed: int) -> None:
            nonlocal written_s, last_stage
            is_news = stage != last_stage or done >= total
            if not is_news and time.monotonic() - written_s < _JSON_INTERVAL_S:
                return
            written_s, last_stage = time.monotonic(), stage
            fields = {"stage": stage, "done": done, "total": total, "failed": failed, "skipped": 0}
            sys.stdout.write(json.dumps(fields) + "\n")
            sys.stdout.flush()

        yield write
        return
    with stage_bar() as bar:
        yield lambda stage, done, total, failed: bar(stage, done / max(1, total))


@contextmanager
def job_progress(jobs: JobRunner, *, reports_end: bool = True) -> Iterator[None]:
    """Show the job that runs as a bar, if stderr is a terminal; print a line when a job ends."""
    from rich.progress import BarColumn, Progress, TextColumn

    console = _console()
    ended = threading.Event()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=1, visible=False)

        def follow() -> None:
            shown: set[int] = set()
            while not ended.wait(_JOB_POLL_S):
                running = [job for job in jobs.jobs() if job.state == "running"]
                for job in jobs.jobs():
                    is_new = job.id not in shown and (job.done or job.message)
                    if reports_end and not job.is_active and is_new:
                        shown.add(job.id)
                        bar.console.print(job.summary, markup=False)
                bar.update(task, visible=bool(running))
                for job in running:
                    bar.update(task, description=job.summary, completed=job.done, total=job.total or None)

        thread = threading.Thread(target=follow, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(timeout=1)


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


def _quoted(argument: str) -> str:
    """Return an argument as the shell of this system expects it."""
    if sys.platform == "win32":
        from subprocess import list2cmdline  # here, because it takes milliseconds

        return list2cmdline([argument])
    return shlex.quote(argument)


@lru_cache(maxsize=1)
def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)
