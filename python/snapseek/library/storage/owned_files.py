"""Remove files of a library, and nothing else. All removals inside a library go through this module.

A file is removed only from an open directory that was reached through no link, only if it is a regular file,
and only if the caller has a record that the library wrote it. `unlinkat` never follows a link, so one that is
swapped in after the check has no effect.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from snapseek.atomic_file import first_bytes
from snapseek.errors import FormatError, StorageError

_HAS_DESCRIPTORS = os.name == "posix"


class OwnedDirectory:
    """An open directory of a library, from which files that the library wrote can be removed."""

    def __init__(self, path: Path) -> None:
        """Open the directory. Raises StorageError if it is a link, not a directory, or cannot be opened."""
        check_directory(path)
        self._path = path
        self._descriptor: int | None = None
        if _HAS_DESCRIPTORS:
            try:
                self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except OSError as error:
                raise StorageError(f"cannot open {path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def names(self) -> list[str]:
        """Return the names in the directory."""
        return os.listdir(self._path if self._descriptor is None else self._descriptor)  # noqa: PTH208

    def first_bytes(self, name: str, count: int) -> bytes:
        """Return the first bytes of a regular file in the directory, none for anything else."""
        return first_bytes(self._name_for_system(name), count, dir_fd=self._descriptor)

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of the entry of that name, of a link itself; None if there is none."""
        with suppress(OSError):
            return os.stat(self._name_for_system(name), dir_fd=self._descriptor, follow_symlinks=False)
        return None

    def remove(self, name: str, expected: os.stat_result | None = None) -> bool:
        """Remove a regular file. Return whether nothing has that name any more.

        With `expected` only the file of that status is removed.
        """
        status = self.status(name)
        if status is None:
            return True
        if not stat.S_ISREG(status.st_mode):
            return False
        if expected is not None and not os.path.samestat(status, expected):
            return False
        try:
            os.unlink(self._name_for_system(name), dir_fd=self._descriptor)
        except OSError:  # Windows keeps a file that is still open; the next writer removes it
            return False
        return True

    def _name_for_system(self, name: str) -> str:
        """Return the name itself for use with the directory's descriptor, or else a whole path."""
        if self._descriptor is not None:
            return name
        check_directory(self._path)
        return os.path.join(self._path, name)  # noqa: PTH118


def check_directory(path: Path) -> None:
    """Raise StorageError unless `path` is a directory, not a link to one."""
    try:
        status = path.lstat()
    except OSError as error:
        raise StorageError(f"cannot open {path}: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode) or _is_junction(status):
        kind = "a link" if stat.S_ISLNK(status.st_mode) or _is_junction(status) else "another kind of file"
        raise StorageError(
            expected=f"{path} to be a directory of the library",
            got=kind,
            hint="nothing is written or removed there: move it away, or use another library",
        )


def check_no_link_out(path: Path, directory: Path) -> None:
    """Raise FormatError if a file of the library in `directory` is a link to a place outside it."""
    if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory)):
        raise FormatError(
            expected=f"{path.name} to be a file of the library {directory}",
            got="a link that leads out of it",
            hint="nothing is read there: replace the link by the file, or use another library",
        )


def _is_junction(status: os.stat_result) -> bool:
    mount_point = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return mount_point is not None and getattr(status, "st_reparse_tag", 0) == mount_point
