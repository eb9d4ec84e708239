"""A lock file for the only writer. The system releases the lock when its process dies."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from snapseek.errors import LibraryBusyError, StorageError

_RETRY_S = 0.02


@contextmanager
def writer_lock(path: Path, timeout_s: float) -> Iterator[bool]:
    """Hold the lock file at `path` in the block. Yield whether the file was created; it stays.

    Raises
    ------
    LibraryBusyError
        If another process holds the lock for longer than `timeout_s`.
    StorageError
        If the disk refuses.
    """
    descriptor, is_new = _acquire(path, time.monotonic() + timeout_s)
    try:
        yield is_new
    finally:
        os.close(descriptor)  # releases the lock as well


def _acquire(path: Path, end_s: float) -> tuple[int, bool]:
    is_new = False
    while True:
        try:
            descriptor, was_created = _open(path)
        except OSError as error:
            problem = "it is a link" if path.is_symlink() else error.strerror
            raise StorageError(
                f"cannot write in the library {path.parent} ({path.name}): {problem}",
                hint="remove the link" if path.is_symlink() else None,
            ) from error
        is_new = is_new or was_created
        if _try_lock(descriptor) and _has_name(path, descriptor):
            return descriptor, is_new
        os.close(descriptor)
        if time.monotonic() >= end_s:
            raise LibraryBusyError(
                f"another process is writing {path.parent}", hint="wait until it has finished"
            )
        time.sleep(_RETRY_S)


def _open(path: Path) -> tuple[int, bool]:
    """Open the lock file. Return whether it was created. Follows no link, writes nothing."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    while True:
        try:
            return os.open(path, flags), False
        except FileNotFoundError:
            with suppress(FileExistsError):  # another process created it meanwhile, or it is a link
                return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666), True
            if path.is_symlink():
                raise


def _has_name(path: Path, descriptor: int) -> bool:
    """Return whether the locked file still has that name. An abandoned first index removes its directory."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
