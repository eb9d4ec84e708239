"""The newest state of a library, for who asks it while others write."""

import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path

from snapseek.errors import SnapseekError
from snapseek.library.snapshot import Snapshot
from snapseek.library.storage.database import Database

_LOOK_EVERY_S = 0.25
_PATIENCE_S = 0.05
"""A new state of a few pictures is there by then; no query waits longer for that of a million."""


class SnapshotCache:
    """Keeps the newest `Snapshot`. Safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        """Read the state that is committed. Raises as `Library.open` does."""
        self._path = path
        self._reading = threading.Lock()
        self._catalogue = Database.open(path)
        weakref.finalize(self, self._catalogue.close)
        self._changes = self._catalogue.changes()
        self._looked_s = time.monotonic()
        self._snapshot = Snapshot.read(path, self._catalogue)

    def now(self) -> Snapshot:
        """The state for one query; looks for a newer one, a few times a second at most.

        One thread takes it up beside the queries, and who finds it waits only a moment for it: until it is
        there all go on with the old one.
        """
        is_due = time.monotonic() - self._looked_s >= _LOOK_EVERY_S
        if is_due and self._reading.acquire(blocking=False):
            self._looked_s = time.monotonic()
            if not self._has_changed():
                self._reading.release()
            else:
                reader = threading.Thread(target=self._read_beside, name="refresh", daemon=True)
                reader.start()
                reader.join(_PATIENCE_S)
        return self._snapshot

    def _has_changed(self) -> bool:
        with suppress(SnapseekError):  # a state that cannot be read is no reason to stop answering
            return self._catalogue.changes() != self._changes
        return False

    def _read_beside(self) -> None:
        try:
            with suppress(SnapseekError):
                self._read()
        finally:
            self._reading.release()

    def refresh(self) -> bool:
        """Take up what was committed since; whether there was anything.

        Raises FormatError when the new state is damaged; the old one is kept then.
        """
        with self._reading:
            self._looked_s = time.monotonic()
            return self._read()

    def _read(self) -> bool:
        changes = self._catalogue.changes()
        if changes == self._changes:
            return False
        snapshot = Snapshot.read(self._path, self._catalogue, self._snapshot)
        is_new = snapshot.version != self._snapshot.version
        self._snapshot, self._changes = snapshot, changes
        return is_new
