"""One writer at a time: a lock on a file, which the system takes away from a process that dies."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from snapseek.errors import LibraryBusyError, StorageError

_LOOK_EVERY_S = 0.02


@contextmanager
def writer_lock(path: Path, timeout_s: float) -> Iterator[bool]:
    """Hold the lock `path` in the block; the file is made if need be, and stays. True if it was made here.

    Raises LibraryBusyError when somebody holds it for longer than `timeout_s`, StorageError when the disk
    refuses.
    """
    descriptor, is_new = _acquire(path, time.monotonic() + timeout_s)
    try:
        yield is_new
    finally:
        os.close(descriptor)  # lets go of the lock, too


def _acquire(path: Path, end_s: float) -> tuple[int, bool]:
    is_new = False
    while True:
        try:
            descriptor, was_made = _open(path)
        except OSError as error:
            what = "it is a link; remove the link" if path.is_symlink() else error.strerror
            raise StorageError(f"cannot write in the library {path.parent} ({path.name}): {what}") from error
        is_new = is_new or was_made
        if _try(descriptor) and _is(path, descriptor):
            return descriptor, is_new
        os.close(descriptor)
        if time.monotonic() >= end_s:
            raise LibraryBusyError(f"another process is writing {path.parent}; wait until it has finished")
        time.sleep(_LOOK_EVERY_S)


def _open(path: Path) -> tuple[int, bool]:
    """The lock file, and whether it was made here. A link is not followed, and nothing is written."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    while True:
        try:
            return os.open(path, flags), False
        except FileNotFoundError:
            with suppress(FileExistsError):  # another one makes it just now, or it is a link
                return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666), True
            if path.is_symlink():
                raise


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
