"""The columns of new records: those of all pictures, and those that users' tables add."""

from collections.abc import Iterable

import pyarrow as pa

from snapseek.library.records.arrow_file import SCHEMA

LATER_COLUMNS = frozenset({"taken_offset_minutes", "taken_from", "rating"})
"""Columns that `SCHEMA` got after users' tables could have columns of these names; theirs have precedence."""


def record_schema(known: Iterable[pa.Schema], own: pa.Schema) -> pa.Schema:
    """Return the columns of new records.

    Parameters
    ----------
    known
        The columns of the records that the library has.
    own
        The columns of the users' tables.
    """
    built_in = built_in_columns([*known, own])
    return pa.schema([*(field for field in built_in if field.name not in own.names), *own])


def built_in_columns(others: Iterable[pa.Schema]) -> pa.Schema:
    """Return `SCHEMA` without the later columns that have types in `others` that do not fit."""
    schemas = list(others)
    return pa.schema([f for f in SCHEMA if f.name not in LATER_COLUMNS or _fits(f, schemas)])


def _fits(field: "pa.Field[pa.DataType]", others: list[pa.Schema]) -> bool:
    same = [pa.schema([other.field(field.name)]) for other in others if field.name in other.names]
    try:
        pa.unify_schemas([pa.schema([field]), *same], promote_options="permissive")
    except pa.ArrowException:
        return False
    return True
