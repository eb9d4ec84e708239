"""Rewrite shards in which single values are not valid, such as a text that is not UTF-8; all rows stay.

A shard is salvaged only if its vectors are sound and its records have the checksum with which they were
written: then its writer accepted a wrong value. Damage by a disk may have changed any value.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from snapseek.errors import FormatError, SnapseekError
from snapseek.library.indexing.rewrite_records import rewrite_records
from snapseek.library.records.arrow_gather import reading
from snapseek.library.records.ipc_layout import check_layout
from snapseek.library.storage.database import Database
from snapseek.library.storage.fsync import crc_of
from snapseek.library.storage.library_meta import fresh_version
from snapseek.library.storage.schema import SHARDS
from snapseek.library.storage.shard_files import ShardFiles, remove_stray_files
from snapseek.library.storage.shard_table import ShardRow
from snapseek.sources.fields.embedding_columns import MAX_PREVIEW_BYTES, UNKNOWN_COLOR
from snapseek.sources.fields.record_values import Losses, record_column
from snapseek.vectors.index import VectorIndex

_compute: Any = pyarrow.compute
_DEFAULTS = {"uri": "", "width": 0, "height": 0, "color": UNKNOWN_COLOR, "preview": b""}


def salvage(database: Database, directory: Path, broken: Iterable[ShardRow]) -> int:
    """Rewrite those of the shards that can be salvaged, in a commit each; return how many.

    Raises StorageError if the disk refuses.
    """
    found = [row for row in broken if _was_written_so(directory, row)]
    for row in found:
        _rewrite(database, directory, row)
    return len(found)


def _was_written_so(directory: Path, row: ShardRow) -> bool:
    records = directory / SHARDS / f"{row.stem}.arrow"
    try:
        if row.records_crc is None or crc_of(records) != row.records_crc:
            return False
        index = VectorIndex.open(directory / SHARDS / f"{row.stem}.snap")
        index.verify()
        ids = [batch.column("id").to_numpy() for batch in SalvagedRecords(records).batches]
        return np.array_equal(np.concatenate([np.zeros(0, np.int64), *ids]), index.ids())
    except (SnapseekError, OSError, ValueError, LookupError):
        return False


def _rewrite(database: Database, directory: Path, row: ShardRow) -> None:
    files = ShardFiles(database, directory)
    with (
        rewrite_records(files, row, lambda batch: batch, open_records=SalvagedRecords) as new,
        database.transaction(),
    ):
        deleted = database.shards.tombstones().get(row.stem, np.zeros(0, np.int64))
        database.shards.drop([row.stem])
        database.shards.add(new)
        database.shards.add_tombstones(new.stem, deleted.tolist())
        database.settings.update(fresh_version())
    remove_stray_files(database, directory)


class SalvagedRecords:
    """The records of a file with what is not valid decoded or left out. Raises FormatError for damage."""

    def __init__(self, path: Path) -> None:
        with reading(path, "it is not a valid Arrow file"):
            mapped = pa.memory_map(str(path)).read_buffer()
            check_layout(memoryview(mapped))
            reader = pa.ipc.open_file(mapped)
            self.schema: pa.Schema = reader.schema
            found = [reader.get_batch(index) for index in range(reader.num_record_batches)]
            self.batches = [self._salvaged(batch) for batch in found]

    def _salvaged(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if batch.column("id").null_count:
            raise FormatError(expected="an id in each record", got="none in some")
        columns = [
            _column(column, name) for name, column in zip(self.schema.names, batch.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _column(column: Any, name: str) -> Any:
    found = column if _is_valid(column) else _decoded(column, name)
    if name == "preview":
        is_small = _compute.less_equal(_compute.binary_length(found), MAX_PREVIEW_BYTES)
        found = _compute.if_else(is_small, found, b"")
    return found.fill_null(_DEFAULTS[name]) if name in _DEFAULTS and found.null_count else found


def _decoded(column: Any, name: str) -> Any:
    """Return a column of texts decoded; another column that is not valid becomes null."""
    if pa.types.is_string(column.type):
        data = pa.Array.from_buffers(pa.binary(), len(column), column.buffers(), offset=column.offset)
        if _is_valid(data):
            return record_column(column, name, Losses())
    if name == "id":
        raise FormatError(expected="valid ids", got="damaged ones")
    return pa.nulls(len(column), column.type)


def _is_valid(column: Any) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
