"""Read rows of several shards for a new one: stored vectors, and records of one schema."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.library.storage.shard_view import ShardView
from snapseek.sources.fields.record_types import common_type, record_type
from snapseek.sources.fields.record_values import Losses, record_column

_BLOCK_ROWS = 8192


def schema_of(parts: Sequence[ShardView]) -> pa.Schema:
    """Return the columns of all shards. One whose types disagree gets a type that holds all, or is text."""
    found: dict[str, pa.DataType] = {}
    for field in (field for part in parts for field in part.shard.records.schema):
        found[field.name] = _common(found.get(field.name, field.type), field.type)
    return pa.schema(list(found.items()))


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    pair = [pa.schema([("value", kind)]) for kind in (one, other)]
    try:
        kind: pa.DataType = pa.unify_schemas(pair, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return common_type(record_type(one), record_type(other))
    return kind


def living_rows(part: ShardView, schema: pa.Schema) -> Iterator[tuple[NDArray[np.float32], pa.RecordBatch]]:
    """Yield all living rows of a shard, block by block: vectors (n, dim) float32 and records."""
    for start in range(0, len(part), _BLOCK_ROWS):
        positions = np.arange(start, min(start + _BLOCK_ROWS, len(part)))
        yield from rows_of(part, part.rows(positions), schema)


def rows_of(
    part: ShardView, rows: NDArray[np.int64], schema: pa.Schema
) -> Iterator[tuple[NDArray[np.float32], pa.RecordBatch]]:
    """Yield rows of a shard in the order of `rows`: vectors (n, dim) float32 and records of `schema`."""
    start = 0
    for batch in part.shard.records.in_order(rows):
        end = start + batch.num_rows
        yield part.shard.index.vectors(rows[start:end]), with_schema(batch, schema)
        start = end


def with_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with the columns of `schema`; missing ones are null."""

    def column(field: "pa.Field[Any]") -> Any:
        index = batch.schema.get_field_index(field.name)
        if index < 0:
            return pa.nulls(batch.num_rows, field.type)
        if batch.column(index).type == field.type:
            return batch.column(index)
        try:
            return batch.column(index).cast(field.type)
        except pa.ArrowException:
            return record_column(batch.column(index), field.name, Losses(), field.type)

    return pa.RecordBatch.from_arrays([column(field) for field in schema], schema=schema)
