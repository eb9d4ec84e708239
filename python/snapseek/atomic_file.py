"""Write files atomically, without replacing foreign files.

A draft is created exclusively (`O_EXCL`, which follows no link) under a random name, written, flushed and
then renamed. Only the process that created a draft removes it.
"""

import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform == "darwin":
    import fcntl

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
_NOT_FOLLOWED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def atomic_file(
    path: Path, *, may_replace: Callable[[Path], bool] = lambda path: True, sync: bool = True
) -> Iterator[BinaryIO]:
    """Open a draft for writing. When the block ends, it gets the name `path`.

    Parameters
    ----------
    path
        The name that the finished file gets.
    may_replace
        Whether an existing file of that name may be replaced; called only if there is one.
    sync
        Whether to flush the content to the disk before the file gets its name.

    Raises
    ------
    FileExistsError
        If the name is taken and `may_replace` returns False, or by a device, a pipe or a directory. What has
        the name is not touched.
    OSError
        If the disk refuses. No draft stays after any exception, KeyboardInterrupt included.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    is_ours = not os.path.lexists(draft)
    try:
        with draft.open("xb") as stream:
            yield stream
            stream.flush()
            if sync:
                flush_to_disk(stream.fileno())
        if is_replaceable(path) and may_replace(path):
            draft.replace(path)
        else:
            publish_new(draft, path)
    finally:
        if is_ours:
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def flush_to_disk(descriptor: int) -> None:
    """Flush a file or directory to the disk.

    On macOS `fsync` leaves the data in the cache of the drive, and F_FULLFSYNC flushes that, too. Network
    drives may not have it.
    """
    if sys.platform == "darwin":
        with suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def is_replaceable(path: Path) -> bool:
    """Whether there is a regular file or a link of that name, which another file may take the place of."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or (stat.S_ISLNK(mode) and not _is_special(path))


def _is_special(path: Path) -> bool:
    """Whether a link leads to a device, a pipe or the like, as /dev/stdout does."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def publish_new(draft: Path, path: Path) -> None:
    """Rename `draft` to `path`. Raises FileExistsError if anything has that name."""
    try:
        os.link(draft, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        draft.rename(path)
    except NotImplementedError:  # the system cannot link without following: Windows, where rename refuses
        draft.rename(path)
    else:
        draft.unlink()


def remove_created(path: Path, created: os.stat_result) -> None:
    """Remove `path` if it is still the file that had the status `created` when it was created."""
    with suppress(OSError):
        if os.path.samestat(path.lstat(), created):
            path.unlink()


def is_plain_file(path: Path) -> bool:
    """Return whether `path` is a regular file with one name: no link, directory, pipe or device."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def is_junction(status: os.stat_result) -> bool:
    """Return whether the status is that of a junction of Windows: a link between folders."""
    mount_point = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return mount_point is not None and getattr(status, "st_reparse_tag", 0) == mount_point


def first_bytes(path: str | Path, count: int, *, dir_fd: int | None = None) -> bytes:
    """Return the first bytes of a regular file, none for anything else. Follows no link at the last part."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NOT_FOLLOWED, dir_fd=dir_fd)
    except OSError:
        return b""
    try:
        return os.read(descriptor, count) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    finally:
        os.close(descriptor)
