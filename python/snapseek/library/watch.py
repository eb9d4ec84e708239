"""Watch folders, and sync a library after each burst of changes.

Changes come in bursts: a camera card is copied, an editor writes a file three times. After each burst all
folders are synced as they are, whatever the events said, so no change during a sync is lost. A tick between
bursts retries a busy library and notices a disk that came back.
"""

import sys
import threading
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from snapseek.errors import InputError, LibraryBusyError, StorageError
from snapseek.library.indexing.sync_report import SyncReport
from snapseek.library.library import Library
from snapseek.library.storage.trust import CONFIRM_HINT
from snapseek.sources.exclusions import is_skipped

_QUIET_MS = 500
"""A burst ends after so long without a change ..."""
_LONGEST_BURST_MS = 10_000
"""... or after so long in all."""
_TICK_MS = 1_000
_IGNORE_CASE = ("darwin", "win32")


def watch(
    library: Library,
    folders: Sequence[Path] | None = None,
    *,
    threads: int | None = None,
    memory: str | int | None = None,
    on_start: Callable[[Sequence[Path]], object] = lambda watched: None,
    on_sync: Callable[[SyncReport], object] = lambda report: None,
    on_problem: Callable[[str], object] = lambda message: None,
    stop: threading.Event | None = None,
) -> None:
    """Sync a library now and after every change in its folders, until `stop` is set or Ctrl-C.

    Parameters
    ----------
    library
        The library.
    folders
        The folders to watch, which the library indexes first if they are new; None for all that it has.
    threads, memory
        As in `Library.sync`.
    on_start
        Called with the folders before the first sync.
    on_sync
        Called with the first report, and with each later one that has changes.
    on_problem
        Called once with the reason if a sync has to wait: another process is writing, or the disk refuses.
        The sync is retried every second.
    stop
        Ends the watch when it is set.

    Raises
    ------
    InputError
        If there is no folder to watch, or the packages for it are not installed.
    KeyboardInterrupt
        On Ctrl-C.
    """
    info = library.info()
    skipped = set(library.unconfirmed())
    recorded = [folder for folder in info.folders if folder not in skipped and folder.is_dir()]
    watched = recorded if folders is None else list(folders)
    if skipped and not watched:
        raise InputError(
            expected="a folder to watch that you have confirmed",
            got="folders that only the library names",
            hint=CONFIRM_HINT,
        )
    ticks = bursts(watched, info.path, stop or threading.Event())
    on_start(watched)
    is_due, is_first, problem = True, True, ""
    for has_changed in ticks:
        is_due = is_due or has_changed
        if not is_due:
            continue
        try:
            report = library.sync(folders if is_first else None, threads=threads, memory=memory)
        except (LibraryBusyError, StorageError) as error:
            if str(error) != problem:
                on_problem(str(error))
            problem = str(error)
            continue
        if is_first or problem or report.has_changed or report.missing:
            on_sync(report)
        is_due, is_first, problem = False, False, ""


def bursts(folders: Sequence[Path], library: Path, stop: threading.Event) -> Iterator[bool]:
    """Yield True after each burst of changes in `folders`, False after each second without a change.

    Raises InputError as `watch` does.
    """
    absolute = [folder.absolute() for folder in folders]
    if not absolute:
        raise InputError(expected="a folder to watch", got="none that exists")
    for folder in absolute:
        if not folder.is_dir():
            raise InputError(expected="a folder to watch", got=f"none at {folder}")
    _system_watch()
    return _bursts(absolute, library, stop)


def _bursts(absolute: Sequence[Path], library: Path, stop: threading.Event) -> Iterator[bool]:
    is_due = False
    while not stop.is_set():
        for has_changed in _while_present(absolute, _present(absolute), library.absolute(), stop):
            yield has_changed or is_due
            is_due = False
        # A folder disappeared or returned. Sync only once the folders are watched again: what happens between
        # a sync and the start of a watch is not reported.
        is_due = True


def _while_present(
    folders: Sequence[Path], present: dict[Path, tuple[int, int]], library: Path, stop: threading.Event
) -> Iterator[bool]:
    """Yield as `bursts` does, until the set of present folders differs from `present`, or `stop`."""
    if not present:
        while not stop.wait(_TICK_MS / 1000):
            yield False
            if _present(folders):
                return
        return
    for changes in _system_watch()(
        *present,
        watch_filter=lambda _, path: _matters(Path(path), folders, library),
        debounce=_LONGEST_BURST_MS,
        step=_QUIET_MS,
        rust_timeout=_TICK_MS,
        yield_on_timeout=True,
        stop_event=stop,
        ignore_permission_denied=True,
    ):
        yield bool(changes)
        if _present(folders) != present:
            return


def _system_watch() -> Callable[..., Iterator[Collection[object]]]:
    try:
        from watchfiles import watch as system_watch
    except ImportError as error:
        raise InputError(
            "watching a folder needs a package that is not installed",
            hint='run: pip install "snapseek[watch]"',
        ) from error
    return system_watch


def _present(folders: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Return the existing folders with device and inode: an unmounted disk leaves another, empty one."""
    found = {}
    for folder in folders:
        with suppress(OSError):
            status = folder.stat()
            found[folder] = (status.st_dev, status.st_ino)
    return found


def _matters(path: Path, folders: Sequence[Path], library: Path) -> bool:
    """Return whether a change at that path can change the library."""
    if _within(path, library) is not None:
        return False
    within = [_within(path, folder) for folder in folders]
    return any(parts is not None and not any(map(is_skipped, parts)) for parts in within)


def _within(path: Path, folder: Path) -> tuple[str, ...] | None:
    """Return the parts of `path` below `folder`, None if it is elsewhere.

    macOS reports a changed file by its real path, without links and spelled as on the disk: `/private/tmp`
    for `/tmp`, `Photos` for `photos`.
    """
    for candidate in (folder, folder.resolve()):
        parts, prefix = _comparable(path), _comparable(candidate)
        if parts[: len(prefix)] == prefix:
            return path.parts[len(prefix) :]
    return None


def _comparable(path: Path) -> tuple[str, ...]:
    if sys.platform in _IGNORE_CASE:
        return tuple(unicodedata.normalize("NFC", part).casefold() for part in path.parts)
    return path.parts
