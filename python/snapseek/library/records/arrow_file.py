"""The records of a shard in an Arrow IPC file: one a row, in scan order."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from snapseek.errors import FormatError, InputError, StorageError
from snapseek.library.records.arrow_gather import (
    HINT,
    MappedBatches,
    Record,
    RecordGather,
    plain_values,
    reading,
)
from snapseek.library.records.ipc_layout import (
    MAX_NAME_CHARACTERS,
    check_layout,
    check_schema,
    is_stored,
    stored_type,
)
from snapseek.mapped_file import LoadMode, MappedFile
from snapseek.sources.picture import held_bytes
from snapseek.threads import available_cores

_BATCH_ROWS = 1024
_MAX_BATCH_BYTES = 16 << 20
"""Bounds the texts of the pending records, unless one alone has more."""

_BATCHES_AT_A_TIME = 64
_PAGE_BYTES = 4096
_CHUNK_BYTES = 128 << 20
"""Bounds the records that `in_order` gathers at once. Each chunk may read the whole file."""

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
    "kind": pa.string(),
    "taken": pa.timestamp("us", tz="UTC"),
    "camera": pa.string(),
    "latitude": pa.float64(),
    "longitude": pa.float64(),
    "tags": pa.list_(pa.string()),
    "title": pa.string(),
    "is_truncated": pa.bool_(),
    "duration_s": pa.float64(),
    "taken_offset_minutes": pa.int16(),
    "taken_from": pa.string(),
    "rating": pa.int8(),
}
SCHEMA = pa.schema(list((_CORE | _FOLDER).items()))
"""The columns of indexed pictures. Imported ones have the first seven, and those of their table. In libraries
of an earlier version a column may be missing, which counts as null."""

_MAY_LACK = frozenset({"caption"})
_MAX_STORED_PREVIEW_BYTES = 1 << 16
"""Bounds an answer of 200 previews in base64. Previews have 500 bytes at most, which `verify` checks."""


class RecordWriter:
    """Streams records into a new Arrow file; holds at most one batch in memory.

    Parameters
    ----------
    path
        The file to create.
    schema
        The columns. Each gets the type that `stored_type` returns.

    Raises
    ------
    StorageError
        If the disk refuses, or there is a file already.
    InputError
        For a type that records cannot have.
    """

    def __init__(self, path: Path, schema: pa.Schema = SCHEMA) -> None:
        self._path = path
        self._schema = _stored_schema(schema)
        self._pending: list[Record] = []
        self._pending_bytes = 0
        try:
            self._file = path.open("xb")
            self._writer = pa.ipc.new_file(self._file, self._schema)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error}") from error

    def append(self, record: Record) -> None:
        """Add one record with the columns of the schema. Raises StorageError if the disk refuses."""
        self._pending.append(record)
        self._pending_bytes += held_bytes(record)
        if len(self._pending) == _BATCH_ROWS or self._pending_bytes > _MAX_BATCH_BYTES:
            self._flush()

    def extend(self, records: pa.RecordBatch) -> None:
        """Add records of the same schema. Raises StorageError if the disk refuses."""
        self._flush()
        for start in range(0, records.num_rows, _BATCH_ROWS):
            self._write(records.slice(start, _BATCH_ROWS))

    def _flush(self) -> None:
        if self._pending:
            self._write(pa.RecordBatch.from_pylist(self._pending, schema=self._schema))
            self._pending.clear()
            self._pending_bytes = 0

    def _write(self, batch: pa.RecordBatch) -> None:
        try:
            self._writer.write_batch(batch if batch.schema == self._schema else batch.cast(self._schema))
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error}") from error

    def finish(self) -> None:
        """Write the pending records and the footer. Raises StorageError if the disk refuses."""
        self._flush()
        self.close()

    def close(self) -> None:
        """Close the file as it is. Raises StorageError if the disk refuses."""
        try:
            self._writer.close()
            self._file.close()
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error}") from error

    def abandon(self) -> None:
        """Close the file as it is, complete or not; never raises."""
        if self._file.closed:
            return
        for part in (self._writer, self._file):
            with suppress(OSError, pa.ArrowException):
                part.close()


def _stored_schema(schema: pa.Schema) -> pa.Schema:
    fields = [field.remove_metadata().with_type(stored_type(field.type)) for field in schema]
    for field in fields:
        if len(field.name) > MAX_NAME_CHARACTERS:
            raise InputError(
                f"expected names of columns of at most {MAX_NAME_CHARACTERS} characters, found one of "
                f"{len(field.name)}; rename the column"
            )
        if not is_stored(field.type):
            raise InputError(
                expected=f"column {field.name} of a type that records can have",
                got=str(field.type),
                hint="leave the column out, or make it text",
            )
    return pa.schema(fields)


class Records:
    """The records of a shard, memory-mapped or loaded.

    Opening validates the layout of the file, then every offset, null count and UTF-8 text. Reading relies
    on it.
    """

    def __init__(self, path: Path, load: LoadMode = "map") -> None:
        """Open and validate the file. Raises FormatError if it is damaged or lacks a required column."""
        self.path = path
        with reading(path, "it is not a valid Arrow file"):
            self._file = MappedFile(path, load)
            self._mapped = pa.py_buffer(self._file.view)
            check_layout(memoryview(self._mapped))
            reader = pa.ipc.open_file(self._mapped)
            self.schema: pa.Schema = reader.schema
            names = self.schema.names
        missing = [name for name in _CORE if name not in names]
        if missing:
            raise FormatError(f"{path} lacks the columns {', '.join(missing)}; {HINT}")
        with reading(path, "its records are not valid"):
            check_schema(self.schema, _CORE)
            self._batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
            self._validate()
        shown = [field for field in self.schema if field.name in _CORE or is_shown(field.type)]
        self._extra = [field.name for field in shown if field.name not in _CORE]
        self._counts = np.array([batch.num_rows for batch in self._batches], np.int64)
        self._stops = np.cumsum(self._counts)
        self.size_bytes = self._mapped.size

    def _validate(self) -> None:
        """Check every value, in one thread a core. Raises ValueError."""
        share = max(_BATCHES_AT_A_TIME, -(-len(self._batches) // available_cores()))
        parts = [
            pa.Table.from_batches(self._batches[start : start + share], self.schema)
            for start in range(0, len(self._batches), share)
        ]
        if len(parts) < 2:
            list(map(_check_values, parts))
            return
        with ThreadPoolExecutor(len(parts)) as threads:
            list(threads.map(_check_values, parts))

    def check_length(self) -> None:
        """Raise FormatError if the mapped file was truncated; call it before each query."""
        self._file.check_length()

    def warm(self) -> None:
        """Read the whole file into the page cache, so that no answer waits for the disk."""
        self.check_length()
        np.bitwise_xor.reduce(np.frombuffer(memoryview(self._mapped), np.uint8)[::_PAGE_BYTES])

    def __len__(self) -> int:
        """Return the number of records."""
        return int(self._counts.sum())

    @property
    def batches(self) -> Sequence[pa.RecordBatch]:
        """All records, in the batches of the file."""
        return self._batches

    def ids(self) -> NDArray[np.int64]:
        """Return the id of each row, (rows,) int64."""
        return pa.Table.from_batches(self._batches, self.schema).column("id").to_numpy()

    @cached_property
    def gather(self) -> RecordGather:
        """Reads the shown columns of scattered rows."""
        return RecordGather(self.path, MappedBatches(self._mapped, self._batches), list(_CORE), self._extra)

    def column(self, name: str) -> "Iterator[pa.Array[Any]]":
        """Yield one column of all records in order, in arrays of some ten thousand rows."""
        if not self._batches:
            yield pa.array([], self.schema.field(name).type)
        for start in range(0, len(self._batches), _BATCHES_AT_A_TIME):
            parts = [batch.column(name) for batch in self._batches[start : start + _BATCHES_AT_A_TIME]]
            yield pa.concat_arrays(parts)

    def texts(self, name: str, rows: NDArray[np.int32]) -> "pa.Array[Any]":
        """Return one column of these ascending rows, (n,)."""
        indices = self._stops.searchsorted(rows, side="right")
        bounds = np.flatnonzero(np.diff(indices, prepend=-1)).tolist()
        parts = [pa.array([], self.schema.field(name).type)]
        for low, high in zip(bounds, [*bounds[1:], len(rows)][: len(bounds)], strict=True):
            batch = self._batches[indices[low]]
            first = int(self._stops[indices[low]]) - batch.num_rows
            parts.append(batch.column(name).take(pa.array(rows[low:high] - first)))
        return pa.concat_arrays(parts)

    def in_order(self, order: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
        """Yield the records of rows, (n,), in that order, in batches of some megabytes."""
        row_bytes = self.size_bytes // max(1, len(self))
        chunk = max(1, _CHUNK_BYTES // max(1, row_bytes))
        for start in range(0, len(order), chunk):
            yield from self._gather(order[start : start + chunk])

    def _gather(self, rows: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
        """Yield the records of rows: take all rows of each batch at once, then restore their order."""
        indices = self._stops.searchsorted(rows, side="right")
        by_batch = np.argsort(indices, kind="stable")
        starts = np.flatnonzero(np.diff(indices[by_batch], prepend=-1))
        parts = []
        for wanted in np.split(by_batch, starts[1:]):
            index = int(indices[wanted[0]])
            first = int(self._stops[index]) - self._batches[index].num_rows
            parts.append(self._batches[index].take(rows[wanted] - first))
        position = np.empty(len(rows), np.int64)
        position[by_batch] = np.arange(len(rows))
        yield from pa.Table.from_batches(parts).combine_chunks().take(position).to_batches()


def _check_values(records: pa.Table) -> None:
    """Raise ValueError for a false value, or if a required column lacks one, or a preview is too large."""
    records.validate(full=True)
    for name in _CORE.keys() - _MAY_LACK:
        if records.column(name).null_count:
            raise ValueError(f"column {name} lacks values")
    previews: Any = records.column("preview")
    longest = pc.max(pc.binary_length(previews)).as_py() or 0
    if longest > _MAX_STORED_PREVIEW_BYTES:
        raise ValueError(f"a preview has {longest} bytes")


def is_shown(kind: pa.DataType) -> bool:
    """Return whether values of this type are part of answers: raw bytes are not."""
    types = pa.types
    return not (types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def plain_rows(table: pa.Table) -> list[Record]:
    """Return the rows of a table. Values that JSON lacks are text, times ISO 8601; raw bytes stay."""
    columns = [plain_values(column) for column in table.columns]
    names = table.column_names
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
