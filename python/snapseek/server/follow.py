"""Follow the folders of a served library: a sync job starts after each burst of changes."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from snapseek.errors import InputError
from snapseek.library.watch import bursts
from snapseek.server.jobs import BUSY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from snapseek.library import Library
    from snapseek.server.jobs import Job, JobRunner

_RETRY_S = 10.0
_TICK_S = 1.0


class Follower:
    """Watches the folders of a library in a thread, from `start` until `close`.

    Parameters
    ----------
    library
        The library. Only folders that exist and that the user has confirmed are watched.
    jobs
        Runs the syncs.
    arguments
        What `snapseek` is called with to sync the library.
    sync_first
        Whether a sync starts at once.
    """

    def __init__(
        self, library: Library, jobs: JobRunner, arguments: Sequence[str], *, sync_first: bool = True
    ) -> None:
        self._is_due = sync_first
        self._job: Job | None = None
        self._started_s = 0.0
        self._library = library
        self._jobs = jobs
        self._arguments = list(arguments)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow", daemon=True)

    def start(self) -> None:
        """Start to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop to watch. Jobs that wait or run are not stopped."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def _is_to_retry(self) -> bool:
        """Return whether the last sync found another process writing, some time ago."""
        is_busy = self._job is not None and self._job.state == BUSY
        return is_busy and time.monotonic() - self._started_s > _RETRY_S

    def _folders(self) -> list[Path]:
        """Return the folders to watch now: the user may add and remove some meanwhile."""
        skipped = set(self._library.unconfirmed())
        return [
            folder for folder in self._library.info().folders if folder not in skipped and folder.is_dir()
        ]

    def _follow(self) -> None:
        while not self._stop.is_set():
            folders = self._folders()
            if folders:
                self._watch(folders)
            self._stop.wait(_TICK_S)

    def _watch(self, folders: list[Path]) -> None:
        """Watch folders until the library has others."""
        version = self._library.version
        with contextlib.suppress(InputError):  # a folder disappeared meanwhile
            for has_changed in bursts(folders, self._library.info().path, self._stop):
                if self._is_due or has_changed or self._is_to_retry():
                    self._job = self._jobs.start("sync", self._arguments)
                    self._started_s = time.monotonic()
                self._is_due = False
                if self._library.version != version:
                    version = self._library.version
                    if not set(self._folders()) <= set(folders):
                        self._is_due = True  # what changed in a new folder before it is watched
                        return
