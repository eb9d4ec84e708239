"""Results as a table: an Arrow table, or a DataFrame of pandas, which is optional."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from snapseek.errors import InputError

if TYPE_CHECKING:
    from snapseek.library.results import Hit

_TYPES: dict[str, pa.DataType] = {
    "id": pa.int64(),
    "score": pa.float64(),
    "uri": pa.string(),
    "path": pa.string(),
    "width": pa.int64(),
    "height": pa.int64(),
    "color": pa.string(),
    "caption": pa.string(),
    "similar": pa.list_(pa.int64()),
    "why": pa.list_(pa.string()),
}
"""The columns of every table, in order."""


def to_arrow(hits: Sequence["Hit"], *, previews: bool) -> pa.Table:
    """Return a row a picture: the columns of `_TYPES`, then the metadata that any picture has.

    A metadata column that has the name of one of the others gets a trailing underscore. Values of different
    types in one column become text.
    """
    columns: dict[str, Any] = {
        name: pa.array([_value(hit, name) for hit in hits], kind) for name, kind in _TYPES.items()
    }
    if previews:
        columns["preview"] = pa.array([hit.preview for hit in hits], pa.binary())
    names = dict.fromkeys(name for hit in hits for name in hit.meta)
    for name in names:
        free = name
        while free in columns or (free != name and free in names):
            free += "_"
        columns[free] = _array([hit.meta.get(name) for hit in hits])
    return pa.table(columns)


def to_pandas(table: pa.Table) -> Any:
    """Return the table as a DataFrame. Raises InputError if pandas is not installed."""
    try:
        import pandas  # noqa: F401  (pyarrow imports it, with a less clear error)
    except ImportError as error:
        raise InputError(
            expected="the package pandas for a DataFrame",
            got="it is not installed",
            hint="run: pip install pandas, or use to_arrow()",
        ) from error
    return table.to_pandas()


def _value(hit: "Hit", name: str) -> Any:
    value = getattr(hit, name)
    if name == "path":
        return None if value is None else str(value)
    return list(value) if isinstance(value, tuple) else value


def _array(values: list[Any]) -> Any:
    """Return an array of the values; text where they have no common type."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError):
        return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | Mapping | bool) else str(value)
