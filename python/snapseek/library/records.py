"""The Arrow file beside the vectors: one record a row, in scan order, open to all that read Arrow."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from snapseek.errors import FormatError, StorageError

_BATCH_ROWS = 1024
_CORE: dict[str, pa.DataType] = {
    "id": pa.int64(),
    "uri": pa.string(),
    "width": pa.int32(),
    "height": pa.int32(),
    "color": pa.string(),
    "preview": pa.binary(),
    "caption": pa.string(),
}
_FOLDER: dict[str, pa.DataType] = {
    "name": pa.string(),
    "folder": pa.string(),
    "size_bytes": pa.int64(),
    "modified": pa.timestamp("us", tz="UTC"),
}
SCHEMA = pa.schema(list((_CORE | _FOLDER).items()))

Record = dict[str, Any]


class RecordWriter:
    """Streams records into a new Arrow file; at most one batch of them is held in memory."""

    def __init__(self, path: Path) -> None:
        """Create the file at `path`. Raises StorageError when the disk refuses."""
        self._path = path
        self._pending: list[Record] = []
        try:
            self._writer = pa.ipc.new_file(str(path), SCHEMA)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error}") from error

    def append(self, record: Record) -> None:
        """Add one record with the columns of `SCHEMA`. Raises StorageError when the disk refuses."""
        self._pending.append(record)
        if len(self._pending) == _BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        try:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._pending, schema=SCHEMA))
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error}") from error
        self._pending.clear()

    def finish(self) -> None:
        """Write what is pending and the footer. Raises StorageError when the disk refuses."""
        if self._pending:
            self._flush()
        self.close()

    def close(self) -> None:
        """Close the file as it is. Raises StorageError when the disk refuses."""
        try:
            self._writer.close()
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error}") from error


class Records:
    """The records of one shard, memory-mapped: opening costs nothing, a record costs its own bytes."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises FormatError when it is not an Arrow file with the columns of `SCHEMA`."""
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            self._batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
        except (OSError, pa.ArrowException) as error:
            raise FormatError(
                f"{path} is damaged or not an Arrow file ({error}); index the folder anew"
            ) from error
        missing = [field.name for field in SCHEMA if reader.schema.get_field_index(field.name) < 0]
        if missing:
            raise FormatError(f"{path} lacks the columns {', '.join(missing)}; index the folder anew")
        self._columns = [name for name in reader.schema.names if name not in _CORE]
        self._ends = list(accumulate(batch.num_rows for batch in self._batches))

    def __len__(self) -> int:
        """The number of records."""
        return self._ends[-1] if self._ends else 0

    def ids(self) -> NDArray[np.int64]:
        """(rows,) int64: the id of each row."""
        if not self._batches:
            return np.zeros(0, np.int64)
        return np.concatenate([batch.column("id").to_numpy() for batch in self._batches])

    def get(self, rows: Sequence[int]) -> list[Record]:
        """The records of these rows, in their order. Times come as text, ISO 8601."""
        places: dict[int, list[int]] = defaultdict(list)
        for row in rows:
            places[bisect_right(self._ends, row)].append(row)
        found = {row: record for index, wanted in places.items() for row, record in self._take(index, wanted)}
        return [found[row] for row in rows]

    def _take(self, index: int, rows: list[int]) -> Iterator[tuple[int, Record]]:
        """The records of rows that lie in one batch: a column at a time, not cell by cell."""
        batch = self._batches[index]
        first = self._ends[index] - batch.num_rows
        taken = batch.take(pa.array([row - first for row in rows]))
        columns = [_plain(column).to_pylist() for column in taken.columns]
        for row, values in zip(rows, zip(*columns, strict=True), strict=True):
            yield row, dict(zip(batch.schema.names, values, strict=True))

    def meta(self, record: Record) -> Record:
        """The part of a record that its source added."""
        return {name: record[name] for name in self._columns}


def _plain(column: "pa.Array[Any]") -> "pa.Array[Any]":
    """The column, times as ISO 8601 text, such as 2026-05-01T09:30:00.000000Z."""
    if not pa.types.is_timestamp(column.type):
        return column
    return pc.replace_substring(column.cast(pa.string()), " ", "T")
