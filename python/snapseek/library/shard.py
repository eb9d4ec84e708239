"""The pair of files that is a shard: vectors and records, row by row the same pictures."""

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from snapseek._core import Shard as Vectors
from snapseek._core import ShardWriter as VectorWriter
from snapseek.errors import FormatError, StorageError
from snapseek.library.records import Record, Records, RecordWriter

DIRECTORY = "shards"


class ShardDraft:
    """A shard that is being written. It becomes visible to nobody until the catalogue names it.

    Leaving the `with` block without `finish` removes both files.
    """

    def __init__(self, library: Path, dim: int) -> None:
        """Start two files of a new name in `library`. Raises StorageError when the disk refuses."""
        directory = library / DIRECTORY
        try:
            directory.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {directory}: {error.strerror}") from error
        self.stem = secrets.token_hex(8)
        self.rows = 0
        self._finished = False
        self._vector_path = directory / f"{self.stem}.snap"
        self._record_path = directory / f"{self.stem}.arrow"
        self._records = RecordWriter(self._record_path)
        self._vectors = VectorWriter(self._vector_path, dim)

    def append(self, vector: NDArray[np.float32], record: Record) -> None:
        """Add a row: its unit vector (1, dim) float32 and its record."""
        self._vectors.append(vector)
        self._records.append(record)
        self.rows += 1

    def finish(self) -> None:
        """Make both files complete and safe on the disk."""
        self._records.finish()
        _sync(self._record_path)
        self._vectors.finish()
        self._finished = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._finished:
            return
        self._vectors.abort()
        with suppress(StorageError):
            self._records.close()
        self._record_path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


class Shard:
    """An open shard: searched by vector, read by row."""

    def __init__(self, library: Path, stem: str) -> None:
        """Open both files. Raises FormatError when one is missing or damaged, or they do not match."""
        paths = [library / DIRECTORY / f"{stem}{suffix}" for suffix in (".snap", ".arrow")]
        for path in paths:
            if not path.is_file():
                raise FormatError(f"{path} is missing; index the folder anew")
        self.size_bytes = sum(path.stat().st_size for path in paths)
        self.vectors = Vectors.open(paths[0])
        self.records = Records(paths[1])
        if self.vectors.rows != len(self.records):
            raise FormatError(
                f"{paths[0].name} has {self.vectors.rows} rows, {paths[1].name} has {len(self.records)}; "
                "they belong to different shards: index the folder anew"
            )
        ids = self.records.ids()
        self._order = np.argsort(ids, kind="stable")
        self._sorted_ids = ids[self._order]

    def row_of(self, item: int) -> int | None:
        """The row of the picture with that id, or None."""
        place = int(np.searchsorted(self._sorted_ids, item))
        if place == len(self._sorted_ids) or self._sorted_ids[place] != item:
            return None
        return int(self._order[place])


def sweep(library: Path, stems: Sequence[str]) -> None:
    """Remove the files of shards not named: replaced ones, and those of an index that was stopped."""
    for path in (library / DIRECTORY).glob("*"):
        if path.name.split(".")[0] not in stems:
            with suppress(OSError):  # on Windows a file that is still open stays until the next sweep
                path.unlink()
