"""A shard that is being written: its vectors and its records, which get the same order at the end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.library.records.arrow_file import SCHEMA, RecordWriter
from snapseek.library.records.arrow_gather import Record
from snapseek.library.storage.fsync import crc_of, sync_directory, sync_file
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.shard_table import ShardRow
from snapseek.library.storage.spool import Spool
from snapseek.vectors.index import VectorIndex

Queries = NDArray[np.float16] | NDArray[np.float32]
ProgressCallback = Callable[[str, float], object]
"""Called with the name of a stage and the share of it that is done."""


class ShardDraft:
    """A shard that is being written. It exists once a commit adds its `row`.

    Leaving the `with` block without `finish` removes its files.
    """

    def __init__(self, files: ShardFiles, dim: int, schema: pa.Schema = SCHEMA) -> None:
        """Create the files. Raises StorageError if the disk refuses."""
        self._files = files
        self._directory = files.directory
        self.stem = files.new_stem()
        self._finished = False
        self.schema = schema
        self._vector_path = self._directory / f"{self.stem}.snap"
        self._record_path = self._directory / f"{self.stem}.arrow"
        try:
            self._spool = Spool(self._directory, self.stem, dim, schema)
            self._records = RecordWriter(self._record_path, schema)
            files.record(self.stem, "f16.tmp", "arrow.tmp", "arrow")
        except BaseException:
            files.remove_draft(self.stem)
            raise

    @property
    def rows(self) -> int:
        """Return how many rows were added."""
        return self._spool.rows

    def append(self, vector: NDArray[np.float32], record: Record) -> None:
        """Add a row: its unit vector (1, dim) float32 and its record."""
        self._spool.append(vector, record)

    def extend(self, vectors: NDArray[np.float32], records: pa.RecordBatch) -> None:
        """Add rows: their unit vectors (n, dim) float32 and their records."""
        self._spool.extend(vectors, records)

    def finish(
        self,
        queries: Queries | None = None,
        *,
        memory: str | int | None = None,
        threads: int | None = None,
        progress: ProgressCallback | None = None,
        training: Path | None = None,
    ) -> None:
        """Build the index, write the records in its scan order, and fsync both files.

        The arguments are those of `VectorIndex.build`, which trains an IVF index only for many rows.
        """
        self._spool.close()
        ids = self._spool.ids()
        index = VectorIndex.build(
            self._spool.vectors(),
            queries,
            path=self._vector_path,
            ids=ids,
            memory=memory,
            threads=threads,
            progress=progress,
            training=training,
        )
        self._write_records(_rows_of(ids, index.ids()), progress or (lambda stage, share: None))
        self._files.remove_spool(self.stem)
        sync_file(self._record_path)
        sync_directory(self._directory)
        self._files.record(self.stem, "snap", "arrow", is_finished=True)
        self._finished = True

    def row(self, source: Path | None = None) -> ShardRow:
        """Return the database row of the finished shard."""
        return ShardRow(self.stem, self.rows, source, records_crc=crc_of(self._record_path))

    def _write_records(self, order: NDArray[np.int64], progress: ProgressCallback) -> None:
        written = 0
        for batch in self._spool.records().in_order(order):
            self._records.extend(batch)
            written += batch.num_rows
            progress("records", written / len(order))
        self._records.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._spool.abandon()
        self._records.abandon()
        if self._finished:
            self._files.release(self.stem)
        else:
            self._files.remove_draft(self.stem)


def _rows_of(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index in `ids`, which are distinct, of each of `wanted`."""
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids, wanted, sorter=order)]
