"""Columns of a user's table, by the names that they usually have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute

from snapseek.errors import InputError

MAX_PREVIEW_BYTES = 500
UNKNOWN_COLOR = "#808080"

# The stubs of pyarrow know neither an array of any type nor its comparison with a constant.
_Column = Any
_compute: Any = pyarrow.compute
_MAX_SIDE_PX = 2**31 - 1
# The first that is there and of a fitting type is taken; upper case counts as lower.
_USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "uri": ("url", "uri", "image_url", "img_url", "image_path"),  # the last is clip-retrieval's of folders
    "width": ("original_width", "width", "image_width"),
    "height": ("original_height", "height", "image_height"),
    "color": ("color",),
    "preview": ("preview",),
    "caption": ("caption", "text", "alt", "alt_text", "top_caption"),
}
_TYPES: dict[str, pa.DataType] = {
    "uri": pa.string(),
    "width": pa.int32(),
    "height": pa.int32(),
    "color": pa.string(),
    "preview": pa.binary(),
    "caption": pa.string(),
}
_RESERVED = frozenset({"id", *_TYPES})
_LEFT_OUT = frozenset({"__index_level_0__"})  # row numbers, put there by pandas


@dataclass(frozen=True)
class TableColumns:
    """How a table becomes records: which of its columns is which, and which are the user's own.

    `taken` has the table's name for those of `uri width height color preview caption` that were found, `own`
    the table's name for each further column under the name that it gets.
    """

    table: pa.Schema
    taken: dict[str, str]
    own: dict[str, str]

    @classmethod
    def of(cls, table: pa.Schema) -> "TableColumns":
        """Find them by their usual names, whatever their case. Raises InputError for a name used twice."""
        for name in table.names:
            if table.names.count(name) > 1:
                raise InputError(expected="columns of different names", got=f"{name!r} twice")
        taken = {wanted: found for wanted in _USUAL_NAMES if (found := _find(table, wanted))}
        rest = [name for name in table.names if name not in taken.values() and name not in _LEFT_OUT]
        own: dict[str, str] = {}
        for name in rest:
            own[_free_name(name, [*own, *rest])] = name
        return cls(table, taken, own)

    @property
    def absence(self) -> str | None:
        """What is said of a table that tells no place of its pictures; None of one that does."""
        if "uri" in self.taken:
            return None
        found = ", ".join(f"{field.name} ({field.type})" for field in self.table)
        return (
            f"expected a column of addresses, such as {', '.join(_USUAL_NAMES['uri'])}, got "
            f"{found or 'none'}: the pictures can be found, and not be shown"
        )

    @property
    def schema(self) -> pa.Schema:
        """The columns of what `records` returns."""
        own = [self.table.field(name).with_name(new) for new, name in self.own.items()]
        return pa.schema([*(pa.field(name, kind) for name, kind in _TYPES.items()), *own])

    def records(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch of the table as records of `schema`.

        What is missing or senseless: a size is 0, a colour grey, preview and `uri` are empty, a caption null.
        """
        known = [
            _READERS[name](batch.column(self.taken[name]))
            if name in self.taken
            else _absent(name, batch.num_rows)
            for name in _TYPES
        ]
        own = [batch.column(name) for name in self.own.values()]
        return pa.RecordBatch.from_arrays([*known, *own], schema=self.schema)


def _find(table: pa.Schema, wanted: str) -> str | None:
    for usual in _USUAL_NAMES[wanted]:
        for name in table.names:
            if name.lower() == usual and _fits(wanted, table.field(name).type):
                return name
    return None


def _fits(wanted: str, kind: pa.DataType) -> bool:
    if _TYPES[wanted] == pa.int32():
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
    if _TYPES[wanted] == pa.binary():
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _free_name(name: str, others: Sequence[str]) -> str:
    """The name itself, or with `_` where a record has a column of that name already."""
    if name not in _RESERVED:
        return name
    new = name + "_"
    while new in others:
        new += "_"
    return new


def _text(column: _Column) -> _Column:
    return column.cast(pa.string())


def _uri(column: _Column) -> _Column:
    return _compute.fill_null(_text(column), "")


def _side_px(column: _Column) -> _Column:
    """Whole pixels; 0 for what cannot be the side of a picture."""
    values = _compute.fill_null(column.cast(pa.float64()), 0.0)
    is_side = _compute.and_(
        _compute.greater_equal(values, 1.0), _compute.less_equal(values, float(_MAX_SIDE_PX))
    )
    return _compute.floor(_compute.if_else(is_side, values, 0.0)).cast(pa.int32())


def _color(column: _Column) -> _Column:
    text = _compute.utf8_lower(_compute.fill_null(_text(column), ""))
    return _compute.if_else(_compute.match_substring_regex(text, "^#[0-9a-f]{6}$"), text, UNKNOWN_COLOR)


def _preview(column: _Column) -> _Column:
    """WebP pictures of at most 500 bytes; all else is left out."""
    data = _compute.fill_null(column.cast(pa.binary()), b"")
    is_small = _compute.less_equal(_compute.binary_length(data), MAX_PREVIEW_BYTES)
    is_riff = _compute.equal(_compute.binary_slice(data, 0, 4), b"RIFF")
    is_webp = _compute.equal(_compute.binary_slice(data, 8, 12), b"WEBP")
    return _compute.if_else(_compute.and_(is_small, _compute.and_(is_riff, is_webp)), data, b"")


_READERS: dict[str, Callable[[_Column], _Column]] = {
    "uri": _uri,
    "width": _side_px,
    "height": _side_px,
    "color": _color,
    "preview": _preview,
    "caption": _text,
}
_ABSENT: dict[str, object] = {
    "uri": "",
    "width": 0,
    "height": 0,
    "color": UNKNOWN_COLOR,
    "preview": b"",
    "caption": None,
}


def _absent(name: str, rows: int) -> _Column:
    return pa.array([_ABSENT[name]] * rows, _TYPES[name])
