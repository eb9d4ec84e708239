"""The file of a vector index: where it is written, and what its header says."""

import os
import stat
import struct
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Self

from snapseek._core import FlatIndex, IvfIndex
from snapseek.absolute_path import absolute_path
from snapseek.atomic_file import first_bytes
from snapseek.errors import ConstructorError, InputError, StorageError, UnknownChoiceError, call_text
from snapseek.mapped_file import LoadMode

_FILE_NAME = "index.snap"
_MAGIC = b"\x89SNAP"
_IVF_KIND = 2
_MIN_ROWS_PER_LIST = 4
"""With fewer rows, the lists of a training cost more bytes and time than they save."""


class IndexBase:
    """Tells who calls `VectorIndex` as a constructor which methods make an index."""

    def __new__(cls, *arguments: object, **named: object) -> Self:
        """Raise ConstructorError unless the first argument is an open index."""
        if not arguments or not isinstance(arguments[0], FlatIndex | IvfIndex):
            raise ConstructorError.of(
                call_text("VectorIndex", arguments, named),
                "VectorIndex.build(vectors) for an array of shape (n, dim)",
                'VectorIndex.open("pictures.snap")',
            )
        return super().__new__(cls)


class TemporaryDirectory:
    """A temporary directory for one index; removed when this object is garbage-collected."""

    def __init__(self) -> None:
        try:
            self.path = absolute_path(tempfile.mkdtemp(prefix="snapseek-"))
        except OSError as error:
            raise StorageError(
                f"could not make a temporary directory: {error.strerror or error}",
                hint="pass a path instead",
            ) from error
        weakref.finalize(self, _remove_temporary, self.path)


def _remove_temporary(directory: Path) -> None:
    """Remove the index in a temporary directory, and the directory if it is empty then."""
    with suppress(OSError):
        (directory / _FILE_NAME).unlink(missing_ok=True)
        directory.rmdir()


def target_of(path: str | os.PathLike[str] | None) -> tuple[Path, TemporaryDirectory | None]:
    """Return the path to write to, and for None a temporary directory that the index has to keep alive."""
    if path is not None:
        target = absolute_path(path)
        _check_replaceable(target)
        return target, None
    temporary = TemporaryDirectory()
    return temporary.path / _FILE_NAME, temporary


def _check_replaceable(path: Path) -> None:
    """Raise InputError if `path` has something other than an index or an empty file."""
    try:
        status = path.lstat()
    except (OSError, ValueError):  # nothing is there, or writing reports why not
        return
    if stat.S_ISDIR(status.st_mode):
        return
    is_empty = stat.S_ISREG(status.st_mode) and status.st_size == 0
    if not is_empty and first_bytes(path, len(_MAGIC)) != _MAGIC:
        raise InputError(
            expected="no file, or an index to replace",
            got=f"another kind of file at {path}",
            hint="choose another path, or move the file away",
        )


def size_of(path: Path) -> int:
    """Return the size of an index file in bytes. Raises StorageError if it is gone."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise StorageError(
            f"could not read the size of {path}: {error.strerror or error}",
            hint="if the file has moved, open it at its new path",
        ) from error


def open_core(path: Path, load: LoadMode) -> FlatIndex | IvfIndex:
    """Open the index of the core that a `.snap` file holds. Raises as `VectorIndex.open` does."""
    if load not in ("map", "ram"):
        raise UnknownChoiceError(expected="load to be 'map' or 'ram'", got=repr(load))
    kind = IvfIndex if _kind_of(path) == _IVF_KIND else FlatIndex
    return kind.open(path, load=load)


def training_for(rows: int, path: Path) -> Path | None:
    """Return the path of an index if its training serves that many rows. Raises FormatError."""
    return path if rows >= _MIN_ROWS_PER_LIST * IvfIndex.open(path).nlist else None


def _kind_of(path: Path) -> int:
    """Return the kind number in the header of a `.snap` file, 0 for a file that is too short."""
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except OSError as error:
        raise StorageError(f"could not open {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(expected="a path that a file can have", got=f"{str(path)!r}: {error}") from error
    return struct.unpack_from("<I", header, 16)[0] if len(header) == 20 else 0
