"""Read rows of several shards for a new one: stored vectors, and records of one schema."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import FormatError
from snapseek.library.storage.shard_view import ShardView

_BLOCK_ROWS = 8192


def schema_of(parts: Sequence[ShardView]) -> pa.Schema:
    """Return the columns of all shards. Raises FormatError if the types of one disagree."""
    schemas = [part.shard.records.schema.remove_metadata() for part in parts]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as error:
        raise FormatError(expected="shards with columns of the same types", got=str(error)) from error


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

    def column(field: "pa.Field[Any]") -> "pa.Array[Any]":
        index = batch.schema.get_field_index(field.name)
        return batch.column(index).cast(field.type) if index >= 0 else pa.nulls(batch.num_rows, field.type)

    return pa.RecordBatch.from_arrays([column(field) for field in schema], schema=schema)
