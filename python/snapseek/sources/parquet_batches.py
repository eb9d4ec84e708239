"""Read parquet tables in batches of bounded bytes, whatever their rows weigh."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from snapseek.sources.parquet_pages import plan_group

MAX_BATCH_BYTES = 32 << 20
"""Values of one batch, unless a single row has more."""

MAX_ROW_BYTES = 512 << 20
"""A larger row is not read: as the largest file of a picture."""

_BUFFER_BYTES = 1 << 20

_compute: Any = pyarrow.compute  # whose stubs do not know arrays of any type


def bounded_batches(
    path: Path, group: int, columns: Sequence[str], max_rows: int
) -> Iterator[pa.RecordBatch | None]:
    """Yield the rows of a row group in batches of at most `MAX_BATCH_BYTES`, or of one row.

    A value that many rows share is in memory once until these rows are yielded. The file is not mapped: a
    table that another program truncates while it is read is an error then.

    Parameters
    ----------
    path
        The table.
    group
        The number of the row group.
    columns
        The names of the columns to read.
    max_rows
        Bounds the rows of a batch.

    Yields
    ------
    RecordBatch or None
        None stands for one row of more than `MAX_ROW_BYTES`.

    Raises
    ------
    ValueError
        If the row group takes memory out of proportion to the file.
    OSError or ArrowException
        If it cannot be read.
    """
    import pyarrow.parquet as pq  # here, because it takes 10 ms to import

    footer = pq.ParquetFile(path)
    if not footer.metadata.row_group(group).num_rows:
        return  # its columns may have no page
    plan = plan_group(path, footer.metadata, group, set(columns))
    if plan.value_bytes:
        max_rows = max(1, min(max_rows, MAX_BATCH_BYTES // plan.value_bytes))
    table = pq.ParquetFile(
        path,
        metadata=footer.metadata,
        read_dictionary=list(plan.dictionaries),
        buffer_size=_BUFFER_BYTES,  # without it, Arrow reads whole columns of a file that is not mapped
    )
    fields = [field for field in footer.schema_arrow if field.name in columns]
    for batch in table.iter_batches(max_rows, [group], columns=list(columns)):
        for part in _parts(batch):
            yield None if part is None else _as_declared(part, fields)


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch | None]:
    """Split a batch where its values take more than `MAX_BATCH_BYTES`; None for a row that is too large."""
    if not batch.num_columns:
        yield batch
        return
    sizes = sum((row_bytes(column) for column in batch.columns), np.zeros(batch.num_rows, np.int64))
    ends = np.cumsum(sizes)
    start = 0
    while start < batch.num_rows:
        if sizes[start] > MAX_ROW_BYTES:
            yield None
            start += 1
            continue
        begun = int(ends[start] - sizes[start])
        stop = max(start + 1, int(ends.searchsorted(begun + MAX_BATCH_BYTES, side="right")))
        yield batch.slice(start, stop - start)
        start = stop


def row_bytes(column: "pa.Array[Any]") -> NDArray[np.int64]:
    """Return how many bytes the texts and bytes of each row take, (rows,), if no value is shared."""
    kind, types = column.type, pa.types
    array: Any = column
    if types.is_dictionary(kind):
        lengths = _compute.binary_length(array.dictionary) if _is_text(kind.value_type) else None
        return _numbers(lengths.take(array.indices)) if lengths is not None else _zeros(array)
    if _is_text(kind):
        return _numbers(_compute.binary_length(array))
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return _view_lengths(array)
    if types.is_struct(kind):
        return sum((row_bytes(child) for child in array.flatten()), _zeros(array))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        ends = np.concatenate([[0], np.cumsum(row_bytes(array.values))])
        offsets = np.asarray(array.offsets)
        return np.asarray(ends[offsets[1:]] - ends[offsets[:-1]], np.int64)
    if types.is_fixed_size_list(kind):
        values = array.values.slice(array.offset * kind.list_size, len(array) * kind.list_size)
        return np.asarray(row_bytes(values).reshape(len(array), kind.list_size).sum(axis=1), np.int64)
    return _zeros(array)


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return any(
        test(kind)
        for test in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    )


def _view_lengths(array: Any) -> NDArray[np.int64]:
    """Return the lengths of views: a view has 16 bytes, and the first four hold the length of its value."""
    views = np.frombuffer(array.buffers()[1], np.int32).reshape(-1, 4) if len(array) else np.zeros((0, 4))
    lengths = views[array.offset : array.offset + len(array), 0].astype(np.int64)
    return np.where(np.asarray(array.is_valid()), lengths, 0)


def _numbers(lengths: Any) -> NDArray[np.int64]:
    return np.asarray(lengths.fill_null(0), np.int64)


def _zeros(array: Any) -> NDArray[np.int64]:
    return np.zeros(len(array), np.int64)


def _as_declared(batch: pa.RecordBatch, fields: "Sequence[pa.Field[Any]]") -> pa.RecordBatch:
    """Return the batch with the types of its table, without the dictionaries of this module."""
    if not fields:
        return batch  # arrays alone do not say how many rows there are
    cast = [_cast(column, field.type) for column, field in zip(batch.columns, fields, strict=True)]
    return pa.RecordBatch.from_arrays(cast, schema=pa.schema(fields))


def _cast(column: "pa.Array[Any]", kind: pa.DataType) -> "pa.Array[Any]":
    if column.type == kind:
        return column
    plain = column.cast(_without_views(kind))  # Arrow casts no dictionary to views
    cast: pa.Array[Any] = plain.cast(kind)
    return cast


def _without_views(kind: Any) -> pa.DataType:
    """Return a type with plain texts and bytes in place of views."""
    types = pa.types
    if types.is_string_view(kind):
        return pa.string()
    if types.is_binary_view(kind):
        return pa.binary()
    if types.is_struct(kind):
        return pa.struct([field.with_type(_without_views(field.type)) for field in kind])
    if types.is_map(kind):
        return pa.map_(_without_views(kind.key_type), _without_views(kind.item_type))
    if types.is_fixed_size_list(kind):
        fixed: pa.DataType = pa.list_(_without_views(kind.value_type), kind.list_size)
        return fixed
    if types.is_list(kind):
        return pa.list_(_without_views(kind.value_type))
    if types.is_large_list(kind):
        return pa.large_list(_without_views(kind.value_type))
    plain: pa.DataType = kind
    return plain
