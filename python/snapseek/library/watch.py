"""Folders looked after: a library that follows what is put into them, changed and taken out of them.

The system tells what happens in a folder, and it is told in bursts: a camera card is copied, an editor writes
a file three times. So a burst is waited for, and then all folders are synced as they are; what exactly was
told does not matter, and nothing is lost that happens during a sync. Between bursts there is a tick, at which
a library that was busy is tried again and a disk that came back is noticed.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from snapseek.errors import InputError, LibraryBusyError, StorageError
from snapseek.library.indexing.sync import SyncReport
from snapseek.library.library import Library
from snapseek.sources.folder import is_skipped

_QUIET_MS = 500
"""A burst is over when nothing happens for so long ..."""
_LONGEST_BURST_MS = 10_000
"""... or when it has lasted for so long."""
_TICK_MS = 1_000


def watch(
    library: Library,
    folders: Sequence[Path] | None = None,
    *,
    threads: int | None = None,
    memory: str | int | None = None,
    on_start: Callable[[Sequence[Path]], object] = lambda watched: None,
    on_sync: Callable[[SyncReport], object] = lambda report: None,
    on_problem: Callable[[str], object] = lambda sentence: None,
    stop: threading.Event | None = None,
) -> None:
    """Sync a library now, and whenever something happened in `folders`, or with None in all of its own.

    `folders` that are not of the library are taken in first. Goes on until `stop` is set or Ctrl-C comes.
    `on_start` is told the folders, `on_sync` the first report and each that tells of something, `on_problem`
    once why a sync has to wait: another process writes the library, or the disk refuses; it is tried again
    every second then. Raises KeyboardInterrupt, InputError as `bursts` does, and what else `Library.sync`
    raises.
    """
    info = library.info()
    watched = [folder for folder in info.folders if folder.is_dir()] if folders is None else list(folders)
    ticks = bursts(watched, info.path, stop or threading.Event())
    on_start(watched)
    is_due, is_first, told = True, True, ""
    for has_changed in ticks:
        is_due = is_due or has_changed
        if not is_due:
            continue
        try:
            report = library.sync(folders if is_first else None, threads=threads, memory=memory)
        except (LibraryBusyError, StorageError) as error:
            if str(error) != told:
                on_problem(str(error))
            told = str(error)
            continue
        if is_first or told or report.has_changed or report.missing:
            on_sync(report)
        is_due, is_first, told = False, False, ""


def bursts(folders: Sequence[Path], library: Path, stop: threading.Event) -> Iterator[bool]:
    """True after something happened in `folders`, False when a second has passed in which nothing did.

    Raises InputError as `watch` does.
    """
    absolute = [folder.absolute() for folder in folders]
    if not absolute:
        raise InputError("expected a folder to watch, found none that is there")
    for folder in absolute:
        if not folder.is_dir():
            raise InputError(f"expected a folder to watch, found none at {folder}")
    _system_watch()
    return _bursts(absolute, library, stop)


def _bursts(absolute: Sequence[Path], library: Path, stop: threading.Event) -> Iterator[bool]:
    while not stop.is_set():
        there = _present(absolute)
        yield from _while_present(absolute, there, library.absolute(), stop)
        yield True  # a folder went or came back


def _while_present(
    folders: Sequence[Path], there: dict[Path, tuple[int, int]], library: Path, stop: threading.Event
) -> Iterator[bool]:
    """As `bursts`, until another set of the folders is there than `there`, or `stop`."""
    if not there:
        stop.wait(_TICK_MS / 1000)
        yield False
        return
    for changes in _system_watch()(
        *there,
        watch_filter=lambda _, path: _matters(Path(path), folders, library),
        debounce=_LONGEST_BURST_MS,
        step=_QUIET_MS,
        rust_timeout=_TICK_MS,
        yield_on_timeout=True,
        stop_event=stop,
        ignore_permission_denied=True,
    ):
        yield bool(changes)
        if _present(folders) != there:
            return


def _system_watch() -> Callable[..., Iterator[Collection[object]]]:
    try:
        from watchfiles import watch as system_watch
    except ImportError as error:
        raise InputError(
            'watching a folder needs a package that is not installed: pip install "snapseek[watch]"'
        ) from error
    return system_watch


def _present(folders: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """The folders that are there, with what tells each from the empty one that a disk leaves behind."""
    found = {}
    for folder in folders:
        with suppress(OSError):
            status = folder.stat()
            found[folder] = (status.st_dev, status.st_ino)
    return found


def _matters(path: Path, folders: Sequence[Path], library: Path) -> bool:
    """Whether something at that path can change what the folders hold for a library."""
    if path.is_relative_to(library):
        return False
    within = [path.relative_to(folder) for folder in folders if path.is_relative_to(folder)]
    return any(not any(map(is_skipped, parts.parts)) for parts in within)
