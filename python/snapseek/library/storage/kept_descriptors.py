"""Read files that SQLite locks, without cancelling its locks.

POSIX cancels all locks that a process has on a file when the process closes any descriptor of that file. The
connections of this process have such locks on a database and on its shared memory. Without them another
process takes the shared memory for stale and truncates it, and the next access here ends the process with
SIGBUS. So a descriptor that was opened to look at such a file stays open, one for each file.
See https://sqlite.org/howtocorrupt.html, section 2.2.
"""

import os
import stat
import sys
import threading
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from snapseek.atomic_file import first_bytes

MAX_KEPT = 256
"""Beyond it, the descriptor of the file that was read longest ago closes."""

_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)
_kept: OrderedDict[tuple[int, int], int] = OrderedDict()
_lock = threading.Lock()


def first_locked_bytes(path: Path, count: int) -> bytes:
    """Return the first bytes of a regular file, none for anything else; follows no link at the last part."""
    if sys.platform == "win32":  # no such locks, and an open file cannot be removed
        return first_bytes(path, count)
    with _lock:
        try:
            descriptor = _descriptor(path)
            return b"" if descriptor is None else os.pread(descriptor, count, 0)
        except OSError:
            return b""


def _descriptor(path: Path) -> int | None:
    """Return a descriptor of the file that stays open; None for what is no regular file."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        return None
    key = status.st_dev, status.st_ino
    if key not in _kept:
        descriptor = os.open(path, _FLAGS)
        opened = os.fstat(descriptor)
        key = opened.st_dev, opened.st_ino  # another file, if it was replaced meanwhile
        if key in _kept:
            # Closing either of the two would cancel locks; this happens a few times in the life of a process.
            return descriptor
        _kept[key] = descriptor
        _close_removed()
    _kept.move_to_end(key)
    return _kept[key]


def _close_removed() -> None:
    """Close the descriptors of files that are gone, and the oldest ones beyond the limit."""
    removed = [key for key, descriptor in _kept.items() if os.fstat(descriptor).st_nlink == 0]
    excess = len(_kept) - len(removed) - MAX_KEPT
    oldest = [key for key in _kept if key not in removed][: max(0, excess)]
    for key in (*removed, *oldest):
        with suppress(OSError):
            os.close(_kept.pop(key))
