"""A shard: a file of vectors and a file of records, with the same pictures row by row."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import FormatError
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.records.arrow_file import SCHEMA, Record, Records, RecordWriter
from snapseek.library.storage.fsync import crc_of, sync_directory, sync_file
from snapseek.library.storage.schema import SHARDS
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.shard_table import ShardRow
from snapseek.library.storage.spool import Spool
from snapseek.vectors.index import Allow, CalibrationPoint, RowBitmap, RowMask, VectorIndex

DEEPEST_PAGE = 1000
"""The minimum number of reranked candidates for any k, so that consecutive pages fit together."""

Queries = NDArray[np.float16] | NDArray[np.float32]
ProgressCallback = Callable[[str, float], object]
"""Called with the name of a stage and the share of it that is done."""
Allowed = Allow | RowBitmap | RowMask | None
"""The rows that a search may find; None for all."""


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


def _with_shortlist(params: CalibrationPoint | None, rows: int) -> CalibrationPoint | None:
    """Return search parameters that rerank at least `rows` candidates."""
    return params and replace(params, shortlist=max(params.shortlist, rows))


def _rows_of(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index in `ids`, which are distinct, of each of `wanted`."""
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids, wanted, sorter=order)]


def is_gapless(ids: NDArray[np.int64]) -> bool:
    """Return whether distinct ids, (n,), are consecutive numbers in any order."""
    return len(ids) > 0 and int(ids.max()) - int(ids.min()) == len(ids) - 1


def order_of(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows in order of their distinct ids. Consecutive ids, as after an import, need no sort."""
    if not is_gapless(ids):
        return np.argsort(ids, kind="stable")
    order = np.zeros(len(ids), np.int64)
    order[ids - ids.min()] = np.arange(len(ids))
    return order


class Shard:
    """An open shard. Searched by vector, read by row. Immutable; safe to use from many threads."""

    def __init__(self, library: Path, stem: str) -> None:
        """Open both files. Raises FormatError if one is missing or damaged, or they do not match."""
        paths = [library / SHARDS / f"{stem}{suffix}" for suffix in (".snap", ".arrow")]
        for path in paths:
            if not path.is_file():
                raise FormatError(
                    f"{path} is missing",
                    hint="if library.db was copied without library.db-wal, copy both; "
                    "otherwise run: snapseek repair",
                )
        self.size_bytes = sum(path.stat().st_size for path in paths)
        self.index = _opened(paths[0])
        self.records = Records(paths[1])
        ids = self.index.ids()
        self._check_match(paths[0].name, paths[1].name, ids)
        params = self.index.search_params()
        self.is_flat = params is None
        """Whether every query scores every row."""
        self._effort = _with_shortlist(params, DEEPEST_PAGE)
        self._filtered_effort = _with_shortlist(params, DEEPEST_PAGE // 2)  # the core doubles it
        self.stem = stem
        self.columns = ColumnStore(self.records, paths[1])
        """The column indexes that filters read."""
        self.order = order_of(ids)
        """(rows,) int64: the rows in ascending order of id."""
        self._sorted_ids = ids[self.order]

    def _check_match(self, vectors: str, records: str, ids: NDArray[np.int64]) -> None:
        """Raise FormatError unless both files have the same rows."""
        rows = len(self.records)
        if len(ids) != rows:
            problem = f"{vectors} has {len(ids)} rows, {records} has {rows}"
        elif not np.array_equal(self.records.ids(), ids):
            problem = f"the ids in {vectors} differ from those in {records}"
        else:
            return
        raise FormatError(f"{problem}: they belong to different shards", hint="run: snapseek repair")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.order)

    def warm(self) -> None:
        """Read both files into the page cache."""
        self.index.warm()
        self.records.warm()

    def search(
        self, vector: NDArray[np.float32], k: int, *, allow: Allowed = None, exact: bool = False
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return ids and scores of the best `k` rows for the unit vector (1, dim), ties by lower id.

        `allow` is a filter that `index.filter` returned.
        """
        effort = self._effort if allow is None else self._filtered_effort
        ids, scores = self.index.search(vector, k, allow=allow, exact=exact, effort=effort)
        return ids[0], scores[0]

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """(rows,) int64: the id of each row."""
        return self.index.ids()

    def ids_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids of rows, (n,) int64."""
        return self.ids[rows]

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each id, (n,) int64. All ids must be in this shard."""
        known = self._sorted_ids
        return self.order[ids - known[0] if self._is_gapless else known.searchsorted(ids)]

    @cached_property
    def _is_gapless(self) -> bool:
        """Whether ids are consecutive, as after an import: then a subtraction finds a row."""
        return is_gapless(self._sorted_ids)

    def known(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of `items`, (n,) int64, that are in this shard."""
        positions = np.minimum(np.searchsorted(self._sorted_ids, items), max(0, len(self._sorted_ids) - 1))
        return items[self._sorted_ids[positions] == items] if len(self._sorted_ids) else items[:0]

    def row_of(self, item: int) -> int | None:
        """Return the row of an id, or None."""
        position = int(np.searchsorted(self._sorted_ids, item))
        if position == len(self._sorted_ids) or self._sorted_ids[position] != item:
            return None
        return int(self.order[position])


def _opened(path: Path) -> VectorIndex:
    try:
        return VectorIndex.open(path)
    except FormatError as error:
        is_newer = "newer" in str(error)
        raise FormatError(str(error) if is_newer else f"{error}; run: snapseek repair") from error
