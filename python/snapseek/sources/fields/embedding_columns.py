"""Map the columns of a user's table to record columns, by common names."""

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
# The first name that exists with a suitable type is used; case is ignored.
_COMMON_NAMES: dict[str, tuple[str, ...]] = {
    "uri": (
        "url",
        "uri",
        "image_url",
        "img_url",
        "image_path",
    ),  # image_path is clip-retrieval's name for files
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
_SKIPPED = frozenset({"__index_level_0__"})  # row numbers, added by pandas


@dataclass(frozen=True)
class TableColumns:
    """How the columns of a table become columns of records.

    Attributes
    ----------
    table
        The schema of the table.
    matched
        Name in the table of each found column of `uri width height color preview caption`.
    custom
        Name in the table of each other column, by its name in records.
    """

    table: pa.Schema
    matched: dict[str, str]
    custom: dict[str, str]

    @classmethod
    def of(cls, table: pa.Schema) -> "TableColumns":
        """Match columns by name, ignoring case. Raises InputError for a repeated name."""
        for name in table.names:
            if table.names.count(name) > 1:
                raise InputError(expected="columns with distinct names", got=f"{name!r} twice")
        matched = {wanted: found for wanted in _COMMON_NAMES if (found := _find(table, wanted))}
        others = [name for name in table.names if name not in matched.values() and name not in _SKIPPED]
        custom: dict[str, str] = {}
        for name in others:
            custom[_free_name(name, [*custom, *others])] = name
        return cls(table, matched, custom)

    @property
    def missing_uri_note(self) -> str | None:
        """A note about a table without the addresses of its pictures, None for one that has them."""
        if "uri" in self.matched:
            return None
        found = ", ".join(f"{field.name} ({field.type})" for field in self.table)
        return (
            f"expected a column of addresses, such as {', '.join(_COMMON_NAMES['uri'])}, got "
            f"{found or 'none'}: search works, but the pictures cannot be shown"
        )

    @property
    def schema(self) -> pa.Schema:
        """The schema of the batches that `records` returns."""
        own = [self.table.field(name).with_name(new) for new, name in self.custom.items()]
        return pa.schema([*(pa.field(name, kind) for name, kind in _TYPES.items()), *own])

    def records(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Convert a batch of the table to records of `schema`.

        Defaults for missing or invalid values: size 0, gray color, empty preview and `uri`, null caption.
        """
        known = [
            _READERS[name](batch.column(self.matched[name]))
            if name in self.matched
            else _default(name, batch.num_rows)
            for name in _TYPES
        ]
        own = [batch.column(name) for name in self.custom.values()]
        return pa.RecordBatch.from_arrays([*known, *own], schema=self.schema)


def _find(table: pa.Schema, wanted: str) -> str | None:
    for usual in _COMMON_NAMES[wanted]:
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
    """Return the name, with trailing underscores if it clashes with another column."""
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
    """Return whole pixels, 0 for an invalid size."""
    values = _compute.fill_null(column.cast(pa.float64()), 0.0)
    is_side = _compute.and_(
        _compute.greater_equal(values, 1.0), _compute.less_equal(values, float(_MAX_SIDE_PX))
    )
    return _compute.floor(_compute.if_else(is_side, values, 0.0)).cast(pa.int32())


def _color(column: _Column) -> _Column:
    text = _compute.utf8_lower(_compute.fill_null(_text(column), ""))
    return _compute.if_else(_compute.match_substring_regex(text, "^#[0-9a-f]{6}$"), text, UNKNOWN_COLOR)


def _preview(column: _Column) -> _Column:
    """Return WebP data of at most 500 bytes, else empty bytes."""
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
_DEFAULTS: dict[str, object] = {
    "uri": "",
    "width": 0,
    "height": 0,
    "color": UNKNOWN_COLOR,
    "preview": b"",
    "caption": None,
}


def _default(name: str, rows: int) -> _Column:
    return pa.array([_DEFAULTS[name]] * rows, _TYPES[name])
