"""Rows in the order in which they come, on the disk: a shard's own order is known when all are there."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import StorageError
from snapseek.library.records.arrow_file import Record, Records, RecordWriter


class Spool:
    """Vectors as float16 and records, row by row, in two files until they are removed.

    Nothing of them is held in memory, and they need no more than `2 * dim` bytes and a record for each row.
    """

    def __init__(self, directory: Path, stem: str, dim: int, schema: pa.Schema) -> None:
        """Create both files. Raises StorageError when the disk refuses."""
        self.rows = 0
        self._dim = dim
        self._vector_path = directory / f"{stem}.f16.tmp"
        self._record_path = directory / f"{stem}.arrow.tmp"
        self._records = RecordWriter(self._record_path, schema)
        self._ids: list[NDArray[np.int64]] = []
        try:
            self._vectors = self._vector_path.open("xb")
        except OSError as error:
            self._records.abandon()
            raise self._refused(error) from error

    def append(self, vector: NDArray[np.float32], record: Record) -> None:
        """Add a row: its unit vector (1, dim) float32 and its record, which has an `id`."""
        self._write(vector, np.array([record["id"]], np.int64))
        self._records.append(record)

    def extend(self, vectors: NDArray[np.float32], records: pa.RecordBatch) -> None:
        """Add rows: their unit vectors (n, dim) float32 and their records, of just the schema."""
        self._write(vectors, records.column("id").to_numpy())
        self._records.extend(records)

    def _write(self, vectors: NDArray[np.float32], ids: NDArray[np.int64]) -> None:
        try:
            self._vectors.write(vectors.astype(np.float16).data)
        except OSError as error:
            raise self._refused(error) from error
        self._ids.append(ids)
        self.rows += len(ids)

    def close(self) -> None:
        """No row comes any more. Raises StorageError when the disk refuses."""
        self._records.finish()
        try:
            self._vectors.close()
        except OSError as error:
            raise self._refused(error) from error

    def ids(self) -> NDArray[np.int64]:
        """(rows,) int64, in the order in which they came."""
        return np.concatenate([np.zeros(0, np.int64), *self._ids])

    def vectors(self) -> NDArray[np.float16]:
        """(rows, dim) float16, mapped."""
        if self.rows == 0:
            return np.zeros((0, self._dim), np.float16)
        return np.memmap(self._vector_path, np.float16, "r", shape=(self.rows, self._dim))

    def records(self) -> Records:
        """The records, mapped."""
        return Records(self._record_path)

    def abandon(self) -> None:
        """Close both files as they are; they are removed with the draft, and not to be used any more."""
        with suppress(OSError):  # a disk that is full may refuse to close, too
            self._vectors.close()
        self._records.abandon()

    def _refused(self, error: OSError) -> StorageError:
        return StorageError(f"cannot write {self._vector_path}: {error.strerror or error}")
