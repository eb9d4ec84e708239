"""Keep the newest state of a library that another process changes."""

import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from snapseek.errors import LibraryError, SnapseekError
from snapseek.library.snapshot import Snapshot
from snapseek.library.storage.confirmations import NOTHING, Confirmed
from snapseek.library.storage.database import Database
from snapseek.mapped_file import LoadMode

_CHECK_INTERVAL_S = 0.25
_MAX_WAIT_S = 0.05
"""A new state of a few pictures is read within this time. No search waits longer for a large one."""


class SnapshotCache:
    """Keeps the newest `Snapshot` up to date while another process writes. Safe to use from many threads.

    Before a newer snapshot is used, `prepare` is called with it and the one that it replaces.

    Raises as `Library.open` does.
    """

    def __init__(
        self,
        path: Path,
        allowed: Confirmed = NOTHING,
        load: LoadMode = "map",
        prepare: Callable[[Snapshot, Snapshot], object] = lambda new, old: None,
    ) -> None:
        self.prepare = prepare
        self._path = path
        self._allowed = allowed
        self._load = load
        self._lock = threading.Lock()
        self._database = Database.open(path)
        self._close = weakref.finalize(self, self._database.close)
        self._changes = self._database.changes()
        self._checked_s = time.monotonic()
        self._snapshot: Snapshot | None = Snapshot.read(path, self._database, allowed=allowed, load=load)

    def close(self) -> None:
        """Close the database and drop the snapshot; `now` and `refresh` raise LibraryError from then on."""
        with self._lock:
            self._snapshot = None
            self._close()

    def now(self) -> Snapshot:
        """Return the snapshot for one search; checks for a newer one a few times a second at most.

        A thread reads the newer one in the background. The search that found it waits only a moment for it;
        until it is read, all searches use the old one. Raises LibraryError after `close`.
        """
        is_due = self._snapshot is not None and time.monotonic() - self._checked_s >= _CHECK_INTERVAL_S
        if is_due and self._lock.acquire(blocking=False):
            self._checked_s = time.monotonic()
            if not self._has_changed():
                self._lock.release()
            else:
                reader = threading.Thread(target=self._read_in_background, name="refresh", daemon=True)
                reader.start()
                reader.join(_MAX_WAIT_S)
        return self._opened()

    def _opened(self) -> Snapshot:
        """Return the snapshot. Raises LibraryError after `close`."""
        if (snapshot := self._snapshot) is None:
            raise LibraryError(
                expected=f"the library {self._path} to be open",
                got="one that was closed",
                hint=f"open it again with Library.open({str(self._path)!r})",
            )
        return snapshot

    def _has_changed(self) -> bool:
        with suppress(SnapseekError):  # searches go on while a new state cannot be read
            return self._snapshot is not None and self._database.changes() != self._changes
        return False

    def _read_in_background(self) -> None:
        try:
            with suppress(SnapseekError):
                self._read()
        finally:
            self._lock.release()

    def refresh(self) -> bool:
        """Read what was committed since the last check, and return whether there was anything.

        Raises FormatError when the new state is damaged; the old one is kept then.
        """
        with self._lock:
            self._checked_s = time.monotonic()
            return self._read()

    def _read(self) -> bool:
        before = self._opened()
        changes = self._database.changes()
        if changes == self._changes:
            return False
        snapshot = Snapshot.read(self._path, self._database, before, self._allowed, self._load)
        self.prepare(snapshot, before)
        is_new = snapshot.version != before.version
        self._snapshot, self._changes = snapshot, changes
        return is_new
