"""One writer at a time: a lock on a file, which the system takes away from a process that dies."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snapseek.errors import LibraryBusyError, StorageError

_LOOK_EVERY_S = 0.02


@contextmanager
def writer_lock(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock `path` in the block; the file is made if need be, and stays.

    Raises LibraryBusyError when somebody holds it for longer than `timeout_s`, StorageError when the disk
    refuses.
    """
    descriptor = _acquire(path, time.monotonic() + timeout_s)
    try:
        yield
    finally:
        os.close(descriptor)  # lets go of the lock, too


def _acquire(path: Path, end_s: float) -> int:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StorageError(f"cannot write in the library {path.parent}: {error.strerror}") from error
        if _try(descriptor) and _is(path, descriptor):
            return descriptor
        os.close(descriptor)
        if time.monotonic() >= end_s:
            raise LibraryBusyError(f"another process is writing {path.parent}; wait until it has finished")
        time.sleep(_LOOK_EVERY_S)


def _is(path: Path, descriptor: int) -> bool:
    """Whether the locked file still has that name: who gives up a first index takes the folder away."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _try(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
