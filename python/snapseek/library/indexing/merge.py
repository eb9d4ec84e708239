"""Rows of shards gathered into a new one: vectors as they are stored, records with the same values."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import FormatError
from snapseek.library.storage.shard_view import ShardView

_BLOCK_ROWS = 8192


def schema_of(parts: Sequence[ShardView]) -> pa.Schema:
    """The columns of all of them. Raises FormatError when one has two types that do not agree."""
    schemas = [part.shard.records.schema.remove_metadata() for part in parts]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as error:
        raise FormatError(f"expected shards whose columns agree, found: {error}") from error


def living_rows(part: ShardView, schema: pa.Schema) -> Iterator[tuple[NDArray[np.float32], pa.RecordBatch]]:
    """All living rows of a part, some thousands at a time: vectors (n, dim) float32 and records."""
    for start in range(0, len(part), _BLOCK_ROWS):
        numbers = np.arange(start, min(start + _BLOCK_ROWS, len(part)))
        yield from rows_of(part, part.rows(numbers), schema)


def rows_of(
    part: ShardView, rows: NDArray[np.int64], schema: pa.Schema
) -> Iterator[tuple[NDArray[np.float32], pa.RecordBatch]]:
    """These rows of a part, in that order: vectors (n, dim) float32, and records of just `schema`."""
    start = 0
    for batch in part.shard.records.in_order(rows):
        end = start + batch.num_rows
        yield part.shard.index.vectors(rows[start:end]), fitted(batch, schema)
        start = end


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with just the columns of `schema`: what it lacks is null."""

    def column(field: "pa.Field[Any]") -> "pa.Array[Any]":
        index = batch.schema.get_field_index(field.name)
        return batch.column(index).cast(field.type) if index >= 0 else pa.nulls(batch.num_rows, field.type)

    return pa.RecordBatch.from_arrays([column(field) for field in schema], schema=schema)
