"""Custom columns of a list: their names, and types that are declared or inferred.

A typed table keeps its types. In csv all values are text, so a type is inferred: whole number, number,
boolean or time if all values of the column are of that type, else text. Nested JSON stays JSON text.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from snapseek.metadata.image_metadata import in_utc, parse_date
from snapseek.sources.fields.record_types import common_type, record_type
from snapseek.sources.fields.record_values import converted_value, text_of
from snapseek.sources.picture import storable

BUILT_IN = frozenset(
    {"id", "uri", "width", "height", "color", "preview", "name", "folder", "size_bytes", "modified"}
    | {"kind", "camera", "is_truncated", "duration_s"}
)
"""Built-in columns of a record. A custom column of the same name gets a trailing underscore."""

METADATA_COLUMNS = frozenset({"caption", "taken", "latitude", "longitude", "tags", "title"})
"""Built-in columns that take the user's values: see `record_fields`."""

_TIME = pa.timestamp("us", tz="UTC")
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"[+-]?(\d{1,300}\.?\d{0,300}|\.\d{1,300})([eE][+-]?\d{1,3})?")
_YES_NO = {"true": True, "false": False}
_MAX_COLUMNS = 1000


class CustomColumns:
    """Infers the types of columns from all values, then converts values to these types."""

    def __init__(self, *without: str) -> None:
        """`without` are columns with another purpose, such as the URL."""
        self._without = {*without, *METADATA_COLUMNS}
        self._inferred: dict[str, str] = {}
        self._types: dict[str, pa.DataType] = {}

    def declare(self, schema: pa.Schema) -> None:
        """Use the declared types of a table, without inference; several tables get the common type."""
        for field in schema:
            if field.name not in self._without and field.name:
                kind = record_type(field.type)
                known = self._types.get(field.name) or _ARROW[self._inferred.pop(field.name, "null")]
                self._types[field.name] = common_type(known, kind)

    @property
    def declared(self) -> Mapping[str, pa.DataType]:
        """The types of the declared columns, by their names in the tables."""
        return self._types

    def observe(self, values: Mapping[str, Any]) -> None:
        """Narrow the inferred types by the values of a row."""
        for name, value in values.items():
            if name in self._without or not isinstance(name, str) or not name:
                continue
            kind = _type_of(value)
            if name in self._types:
                self._types[name] = common_type(self._types[name], _ARROW[kind])
                continue
            before = self._inferred.get(name, "null")
            if before == "null" and len(self._inferred) >= _MAX_COLUMNS and name not in self._inferred:
                continue
            self._inferred[name] = _common(before, kind)

    def schema(self) -> pa.Schema:
        """Return the columns under their names in records."""
        return pa.schema([(self._renamed(name), kind) for name, kind in self._all().items()])

    def values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the converted values of a row; a value that is not of its column's type is left out."""
        return {
            self._renamed(name): converted_value(row[name], self._types[name])
            if name in self._types
            else _convert(self._inferred[name], row[name])
            for name in self._all()
            if row.get(name) is not None
        }

    def _all(self) -> dict[str, pa.DataType]:
        return self._types | {name: _ARROW[kind] for name, kind in self._inferred.items() if kind != "null"}

    def _renamed(self, name: str) -> str:
        plain = storable(name)
        taken = {*self._types, *self._inferred, *BUILT_IN} - {name}
        while plain in BUILT_IN or plain in taken:
            plain += "_"
        return plain


_ARROW: dict[str, pa.DataType] = {
    "null": pa.null(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "yes": pa.bool_(),
    "time": _TIME,
    "text": pa.string(),
    "json": pa.string(),
}


def _type_of(value: Any) -> str:
    if value is None or value == "":
        return "null"
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, int):
        return "whole" if -(2**63) <= value < 2**63 else "text"
    if isinstance(value, float):
        return "number"
    if isinstance(value, datetime):
        return "time"
    return _type_of_text(value.strip()) if isinstance(value, str) else "json"


def _type_of_text(text: str) -> str:
    if text.lower() in _YES_NO:
        return "yes"
    if len(text) > 40 or not (text[-1:].isalnum() or text[-1:] == "."):
        return "text"
    if _WHOLE.fullmatch(text):
        return "whole"
    if _NUMBER.fullmatch(text) and not (text[0] == "0" and text[1:2].isdigit()):
        return "number"
    return "time" if len(text) >= 10 and in_utc(parse_date(text)) else "text"


def _common(one: str, other: str) -> str:
    if "null" in (one, other) or one == other:
        return one if other == "null" else other
    return "number" if {one, other} == {"whole", "number"} else "text"


def _convert(kind: str, value: Any) -> Any:
    """Return the value converted to that type, None if it is not of it."""
    if _type_of(value) == "null":
        return None
    if kind in ("text", "json"):
        return storable(text_of(value) or "")
    try:
        return _CONVERTERS[kind](value)
    except (TypeError, ValueError, OverflowError, KeyError):
        return None


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "whole": int,
    "number": _finite,
    "yes": lambda value: value if isinstance(value, bool) else _YES_NO[value.strip().lower()],
    "time": lambda value: in_utc(value if isinstance(value, datetime) else parse_date(value)),
}
