"""The user's own columns of a list: which they are, and of which types.

A table that has types keeps them. In csv everything is text: a column is of whole numbers, of numbers, of yes
and no or of times if all its values are, and otherwise of text. What JSON nests stays JSON.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from snapseek.metadata.image_metadata import in_utc, parse_date
from snapseek.sources.picture import storable

MEASURED = frozenset(
    {"id", "uri", "width", "height", "color", "preview", "name", "folder", "size_bytes", "modified"}
    | {"kind", "camera"}
)
"""Columns that every record has of its own: a user's gets a `_` behind its name."""

TOLD = frozenset({"caption", "taken", "latitude", "longitude", "tags", "title"})
"""Columns that the user's values go into: see `told`."""

_TIME = pa.timestamp("us", tz="UTC")
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"[+-]?(\d{1,300}\.?\d{0,300}|\.\d{1,300})([eE][+-]?\d{1,3})?")
_YES_NO = {"true": True, "false": False}
_MAX_COLUMNS = 1000


class CustomColumns:
    """Types that narrow down while values are seen, then values of just these types."""

    def __init__(self, *without: str) -> None:
        """`without` are columns that go elsewhere, such as the url."""
        self._without = {*without, *TOLD}
        self._kinds: dict[str, str] = {}
        self._types: dict[str, pa.DataType] = {}

    def declare(self, schema: pa.Schema) -> None:
        """Take the types as they are declared; nothing needs to be seen then."""
        for field in schema:
            if field.name not in self._without and field.name:
                self._declare(field.name, _without_dictionary(field.type))

    def _declare(self, name: str, kind: pa.DataType) -> None:
        """One type, wide enough for both where a further table has another; text where none is."""
        pair = [pa.schema([(name, known)]) for known in (self._types.get(name, kind), kind)]
        try:
            if name not in self._kinds:
                self._types[name] = pa.unify_schemas(pair, promote_options="permissive").field(0).type
        except pa.ArrowException:
            del self._types[name]
            self._kinds[name] = "text"

    def see(self, values: Mapping[str, Any]) -> None:
        """Note which types the values of a row could have."""
        for name, value in values.items():
            if name in self._without or name in self._types or not isinstance(name, str) or not name:
                continue
            kind = _kind_of(value)
            before = self._kinds.get(name, "null")
            if before == "null" and len(self._kinds) >= _MAX_COLUMNS and name not in self._kinds:
                continue
            self._kinds[name] = _common(before, kind)

    def schema(self) -> pa.Schema:
        """The columns as records have them."""
        return pa.schema([(self._renamed(name), kind) for name, kind in self._all().items()])

    def values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a row as records have them; what does not fit its column any more is null."""
        return {
            self._renamed(name): row[name] if name in self._types else _as(self._kinds[name], row[name])
            for name in self._all()
            if row.get(name) is not None
        }

    def _all(self) -> dict[str, pa.DataType]:
        return self._types | {name: _ARROW[kind] for name, kind in self._kinds.items() if kind != "null"}

    def _renamed(self, name: str) -> str:
        plain = storable(name)
        taken = {*self._types, *self._kinds, *MEASURED} - {name}
        while plain in MEASURED or plain in taken:
            plain += "_"
        return plain


_ARROW: dict[str, pa.DataType] = {
    "whole": pa.int64(),
    "number": pa.float64(),
    "yes": pa.bool_(),
    "time": _TIME,
    "text": pa.string(),
    "json": pa.string(),
}


def _kind_of(value: Any) -> str:
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
    return _kind_of_text(value.strip()) if isinstance(value, str) else "json"


def _kind_of_text(text: str) -> str:
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


def _as(kind: str, value: Any) -> Any:
    """The value as that kind, None where it is none."""
    if _kind_of(value) == "null":
        return None
    if kind in ("text", "json"):
        return storable(value if isinstance(value, str) else json.dumps(value, default=str))
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


def _without_dictionary(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if isinstance(kind, pa.DictionaryType) else kind
