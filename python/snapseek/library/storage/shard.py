"""The pair of files that is a shard: vectors and records, row by row the same pictures."""

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
from snapseek.library.storage.database import SHARDS
from snapseek.library.storage.database_rows import ShardRow
from snapseek.library.storage.fsync import crc_of, sync_directory, sync_file
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.spool import Spool
from snapseek.vectors.index import Allow, CalibrationPoint, RowBitmap, RowMask, VectorIndex

DIRECTORY = SHARDS
DEEPEST_PAGE = 1000
"""So many rows are compared in full whatever is asked for: one page then goes on where the last one ended."""

Queries = NDArray[np.float16] | NDArray[np.float32]
Advance = Callable[[str, float], object]
Allowed = Allow | RowBitmap | RowMask | None


class ShardDraft:
    """A shard that is being written. It becomes visible to nobody until the catalogue names it.

    Leaving the `with` block without `finish` removes all its files.
    """

    def __init__(self, files: ShardFiles, dim: int, schema: pa.Schema = SCHEMA) -> None:
        """Start a shard of a new name in a library. Raises StorageError when the disk refuses."""
        self._files = files
        self._directory = files.directory
        self.stem = files.new_stem()
        self._finished = False
        self.schema = schema
        self._vector_path = self._directory / f"{self.stem}.snap"
        self._record_path = self._directory / f"{self.stem}.arrow"
        try:
            self._stage = Spool(self._directory, self.stem, dim, schema)
            self._records = RecordWriter(self._record_path, schema)
            files.record(self.stem, "f16.tmp", "arrow.tmp", "arrow")
        except BaseException:
            files.remove_draft(self.stem)
            raise

    @property
    def rows(self) -> int:
        """How many rows were added."""
        return self._stage.rows

    def append(self, vector: NDArray[np.float32], record: Record) -> None:
        """Add a row: its unit vector (1, dim) float32 and its record."""
        self._stage.append(vector, record)

    def extend(self, vectors: NDArray[np.float32], records: pa.RecordBatch) -> None:
        """Add rows: their unit vectors (n, dim) float32 and their records."""
        self._stage.extend(vectors, records)

    def finish(
        self,
        queries: Queries | None = None,
        *,
        memory: str | int | None = None,
        threads: int | None = None,
        progress: Advance | None = None,
    ) -> None:
        """Make both files complete and safe on the disk: the vectors first, the records in their order.

        `queries` (q, dim), `memory`, `threads` and `progress` as in `VectorIndex.build`; many rows are put
        into inverted lists, few are not.
        """
        self._stage.close()
        ids = self._stage.ids()
        index = VectorIndex.build(
            self._stage.vectors(),
            queries,
            path=self._vector_path,
            ids=ids,
            memory=memory,
            threads=threads,
            progress=progress,
        )
        self._write_records(_rows_of(ids, index.ids()), progress or (lambda stage, share: None))
        self._files.remove_stage(self.stem)
        sync_file(self._record_path)
        sync_directory(self._directory)
        self._files.record(self.stem, "snap", "arrow", is_finished=True)
        self._finished = True

    def row(self, source: Path | None = None) -> ShardRow:
        """What the catalogue says of the finished shard."""
        return ShardRow(self.stem, self.rows, source, records_crc=crc_of(self._record_path))

    def _write_records(self, order: NDArray[np.int64], progress: Advance) -> None:
        written = 0
        for batch in self._stage.records().in_order(order):
            self._records.extend(batch)
            written += batch.num_rows
            progress("records", written / len(order))
        self._records.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._stage.abandon()
        self._records.abandon()
        if self._finished:
            self._files.release(self.stem)
        else:
            self._files.remove_draft(self.stem)


def _deep(setting: CalibrationPoint | None, rows: int) -> CalibrationPoint | None:
    return setting and replace(setting, shortlist=max(setting.shortlist, rows))


def _rows_of(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """At which place of `ids`, all different, each of `wanted` stands."""
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids, wanted, sorter=order)]


def is_gapless(ids: NDArray[np.int64]) -> bool:
    """Whether ids, (n,) and all different, leave out none between the least and the largest."""
    return len(ids) > 0 and int(ids.max()) - int(ids.min()) == len(ids) - 1


def in_order(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows in order of their ids, all different; without a gap, as after an import, nothing is sorted."""
    if not is_gapless(ids):
        return np.argsort(ids, kind="stable")
    order = np.zeros(len(ids), np.int64)
    order[ids - ids.min()] = np.arange(len(ids))
    return order


class Shard:
    """An open shard: searched by vector, read by row."""

    def __init__(self, library: Path, stem: str) -> None:
        """Open both files. Raises FormatError when one is missing or damaged, or they do not match."""
        paths = [library / DIRECTORY / f"{stem}{suffix}" for suffix in (".snap", ".arrow")]
        for path in paths:
            if not path.is_file():
                raise FormatError(
                    f"{path} is missing; if library.db was copied without library.db-wal, copy both; "
                    "otherwise run: snapseek repair"
                )
        self.size_bytes = sum(path.stat().st_size for path in paths)
        self.index = _opened(paths[0])
        self.records = Records(paths[1])
        ids = self.index.ids()
        self._check_match(paths[0].name, paths[1].name, ids)
        setting = self.index.search_params()
        self.is_flat = setting is None
        """Whether every row is scored for every query."""
        self._effort = _deep(setting, DEEPEST_PAGE)
        self._filtered_effort = _deep(setting, DEEPEST_PAGE // 2)  # of which the core takes twice as many
        self.stem = stem
        self.columns = ColumnStore(self.records, paths[1])
        """What filters can ask of the records."""
        self.order = in_order(ids)
        """(rows,) int64: the rows in order of their ids."""
        self._sorted_ids = ids[self.order]

    def _check_match(self, vectors: str, records: str, ids: NDArray[np.int64]) -> None:
        """Check that both files are of the same rows."""
        rows = len(self.records)
        if len(ids) != rows:
            found = f"{vectors} has {len(ids)} rows, {records} has {rows}"
        elif not np.array_equal(self.records.ids(), ids):
            found = f"the ids in {vectors} are not those in {records}"
        else:
            return
        raise FormatError(f"{found}; they belong to different shards: run: snapseek repair")

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.order)

    def warm(self) -> None:
        """Read both files into memory, as far as they are not there yet."""
        self.index.warm()
        self.records.warm()

    def search(
        self, vector: NDArray[np.float32], k: int, *, allow: Allowed = None, exact: bool = False
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and scores of the best `k` rows for the unit vector (1, dim), best first, ties by lower id.

        `allow`: the rows that may be found, as `index.filter` made them ready.
        """
        effort = self._effort if allow is None else self._filtered_effort
        ids, scores = self.index.search(vector, k, allow=allow, exact=exact, effort=effort)
        return ids[0], scores[0]

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """(rows,) the id of each row."""
        return self.index.ids()

    def ids_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) the ids of these rows."""
        return self.ids[rows]

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each of these ids, which must be here."""
        known = self._sorted_ids
        return self.order[ids - known[0] if self._is_gapless else known.searchsorted(ids)]

    @cached_property
    def _is_gapless(self) -> bool:
        """Whether the ids follow one another, as those of imported vectors do: none is looked for then."""
        return is_gapless(self._sorted_ids)

    def known(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of `items`, (n,) int64, that have a row here."""
        places = np.minimum(np.searchsorted(self._sorted_ids, items), max(0, len(self._sorted_ids) - 1))
        return items[self._sorted_ids[places] == items] if len(self._sorted_ids) else items[:0]

    def row_of(self, item: int) -> int | None:
        """The row of the picture with that id, or None."""
        place = int(np.searchsorted(self._sorted_ids, item))
        if place == len(self._sorted_ids) or self._sorted_ids[place] != item:
            return None
        return int(self.order[place])


def _opened(path: Path) -> VectorIndex:
    try:
        return VectorIndex.open(path)
    except FormatError as error:
        is_newer = "newer" in str(error)
        raise FormatError(str(error) if is_newer else f"{error}; run: snapseek repair") from error
