"""A spool on the disk for the rows of a new shard, whose scan order is known only at the end."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import StorageError
from snapseek.library.records.arrow_file import Records, RecordWriter
from snapseek.library.records.arrow_gather import Record


class Spool:
    """Vectors as float16 and records, in two files, in order of arrival.

    Each row needs `2 * dim` bytes and its record on the disk, and no memory.
    """

    def __init__(self, directory: Path, stem: str, dim: int, schema: pa.Schema) -> None:
        """Create both files. Raises StorageError if the disk refuses."""
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
            raise self._as_storage_error(error) from error

    def append(self, vector: NDArray[np.float32], record: Record) -> None:
        """Add a row: its unit vector (1, dim) float32 and its record, which has an `id`."""
        self._write(vector, np.array([record["id"]], np.int64))
        self._records.append(record)

    def extend(self, vectors: NDArray[np.float32], records: pa.RecordBatch) -> None:
        """Add rows: their unit vectors (n, dim) float32 and their records of the same schema."""
        self._write(vectors, records.column("id").to_numpy())
        self._records.extend(records)

    def _write(self, vectors: NDArray[np.float32], ids: NDArray[np.int64]) -> None:
        try:
            self._vectors.write(vectors.astype(np.float16).data)
        except OSError as error:
            raise self._as_storage_error(error) from error
        self._ids.append(ids)
        self.rows += len(ids)

    def close(self) -> None:
        """End the writing. Raises StorageError if the disk refuses."""
        self._records.finish()
        try:
            self._vectors.close()
        except OSError as error:
            raise self._as_storage_error(error) from error

    def ids(self) -> NDArray[np.int64]:
        """Return the ids, (rows,) int64, in order of arrival."""
        return np.concatenate([np.zeros(0, np.int64), *self._ids])

    def vectors(self) -> NDArray[np.float16]:
        """Return the vectors, (rows, dim) float16, memory-mapped."""
        if self.rows == 0:
            return np.zeros((0, self._dim), np.float16)
        return np.memmap(self._vector_path, np.float16, "r", shape=(self.rows, self._dim))

    def records(self) -> Records:
        """Return the records, memory-mapped."""
        return Records(self._record_path)

    def abandon(self) -> None:
        """Close both files as they are; the draft removes them."""
        with suppress(OSError):  # closing may fail on a full disk
            self._vectors.close()
        self._records.abandon()

    def _as_storage_error(self, error: OSError) -> StorageError:
        return StorageError(f"cannot write {self._vector_path}: {error.strerror or error}")
