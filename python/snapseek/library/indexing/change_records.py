"""Add or change columns of records without embedding: ids and vectors stay.

Shards never change. One in which many rows change is replaced by one with the same file of vectors and new
records. From a large one in which few rows change these move to a new small shard, so that an edit of one
picture does not rewrite a million records.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.library.indexing.compact import SMALL_ROWS
from snapseek.library.indexing.rewrite_records import rewrite_records
from snapseek.library.indexing.shard_rows import rows_of, schema_of, with_schema
from snapseek.library.records.arrow_file import SCHEMA
from snapseek.library.storage.database import Database
from snapseek.library.storage.shard_draft import ShardDraft
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.shard_table import ShardRow
from snapseek.library.storage.shard_view import ShardView
from snapseek.library.storage.shards import Shards
from snapseek.sources.fields.record_types import common_type
from snapseek.sources.fields.record_values import converted_value

Changes = Mapping[int, Mapping[str, Any]]
"""New values by the id of a picture and the name of a column."""

_REWRITTEN_SHARE = 0.05
"""A large shard is rewritten if at least this share of its rows changes."""


@dataclass
class ChangedRecords:
    """Finished shards with changed records, which `commit` puts in the place of the old ones."""

    rewritten: dict[str, ShardRow] = field(default_factory=dict)
    moved: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    draft: ShardDraft | None = None

    def commit(self, database: Database) -> None:
        """Replace the shards, within the open transaction."""
        for stem, row in self.rewritten.items():
            database.shards.supersede(stem, row)
        for stem, items in self.moved.items():
            database.shards.add_tombstones(stem, items.tolist())
        if self.draft is not None:
            database.shards.add(self.draft.row())


@contextmanager
def changed_records(
    files: ShardFiles, rows: Mapping[str, ShardRow], shards: Shards, changes: Changes, columns: pa.Schema
) -> Iterator[ChangedRecords]:
    """Yield finished shards with the changed records, to commit in the block.

    Parameters
    ----------
    files
        The files of the library, which is open for writing.
    rows, shards
        All shards of the library, by stem and opened.
    changes
        The new values. Ids that the library does not have are skipped, and so are values that do not fit the
        type that a column has.
    columns
        The columns to add to records that lack them.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    found = ChangedRecords()
    ids_by_stem = shards.shards_of(changes)
    parts = [part for part in shards.parts if part.shard.stem in ids_by_stem]
    split = [part for part in parts if _moves(part, len(ids_by_stem[part.shard.stem]))]
    with ExitStack() as stack:
        for part in parts:
            if part not in split:
                schema = _with_columns(part.shard.records.schema, columns)
                change = partial(with_changes, changes=changes, schema=schema)
                new = rewrite_records(files, rows[part.shard.stem], change, schema=schema)
                found.rewritten[part.shard.stem] = stack.enter_context(new)
        if split:
            schema = _with_columns(schema_of(split), columns)
            found.draft = stack.enter_context(ShardDraft(files, split[0].shard.index.dim, schema))
            for part in split:
                found.moved[part.shard.stem] = ids_by_stem[part.shard.stem]
                wanted = np.sort(part.shard.rows_of(found.moved[part.shard.stem]))
                for vectors, records in rows_of(part, wanted, schema):
                    found.draft.extend(vectors, with_changes(records, changes, schema))
            found.draft.finish()
        yield found


def _moves(part: ShardView, changed: int) -> bool:
    """Return whether the changed rows of a shard move to a new one."""
    rows = len(part.shard)
    return not part.is_imported and rows > SMALL_ROWS and changed < _REWRITTEN_SHARE * rows


def _with_columns(schema: pa.Schema, columns: pa.Schema) -> pa.Schema:
    """Return both. A column of users' tables whose type changed gets the type that holds both."""
    new = (column for column in columns if column.name not in schema.names)
    own = set(columns.names) - set(SCHEMA.names)
    widened = (
        field.with_type(common_type(field.type, columns.field(field.name).type))
        if field.name in own
        else field
        for field in schema
    )
    return pa.schema([*widened, *new])


def with_changes(records: pa.RecordBatch, changes: Changes, schema: pa.Schema) -> pa.RecordBatch:
    """Return the records with the columns of `schema` and the new values."""
    ids = records.column("id").to_numpy().tolist()
    rows = [row for row, item in enumerate(ids) if item in changes]
    columns = []
    for name, column in zip(schema.names, with_schema(records, schema).columns, strict=True):
        values = {row: changes[ids[row]][name] for row in rows if name in changes[ids[row]]}
        columns.append(_replaced(column, values) if values else column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _replaced(column: Any, values: Mapping[int, Any]) -> Any:
    kind = column.type
    try:
        new = pa.array(list(values.values()), type=kind)
    except (pa.ArrowException, TypeError, OverflowError):  # a column of another type, from a user's table
        try:
            new = pa.array([converted_value(value, kind) for value in values.values()], type=kind)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return column
    order = np.arange(len(column))
    order[list(values)] = len(column) + np.arange(len(values))
    return pa.concat_arrays([column, new]).take(pa.array(order))
