"""Convert columns of tables to the types of records, whatever their writer put into them.

A value that Python or JSON cannot hold, such as a date after the year 9999, becomes null and is counted. A
text that is not UTF-8 is decoded by `text_encoding` and counted.
"""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from snapseek.sources.fields.record_types import (
    MAX_DEPTH,
    common_type,
    encoded_type,
    is_bytes,
    is_list,
    record_type,
)
from snapseek.sources.fields.text_encoding import decode_text

# The stubs of pyarrow know neither an array of any type nor its functions.
_Array = Any
_compute: Any = pyarrow.compute
_UNREADABLE = (ValueError, OverflowError, LookupError, TypeError, pa.ArrowException)

_US = {"s": 10**6, "ms": 10**3, "us": 1}
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31
_DAY_US = 86_400 * 10**6
_DAY_MS = 86_400 * 10**3
_MAX_DURATION_US = 2**63 - 1


@dataclass
class Losses:
    """Counts the values of each column that were not kept as they were."""

    lost: Counter[str] = field(default_factory=Counter)
    """Values that became null."""
    recoded: Counter[str] = field(default_factory=Counter)
    """Texts that were not UTF-8."""

    def notes(self) -> tuple[str, ...]:
        """Return a sentence for each column with such values."""
        lost = (
            f"column {name!r}: {_counted(count, 'value')} outside the range of records (years 1 to 9999) "
            "became null"
            for name, count in sorted(self.lost.items())
        )
        recoded = (
            f"column {name!r}: {_counted(count, 'text')} not in UTF-8, read as Windows-1252"
            for name, count in sorted(self.recoded.items())
        )
        return (*lost, *recoded)


def record_schema(schema: pa.Schema) -> pa.Schema:
    """Return a schema with the types of records."""
    return pa.schema([(column.name, record_type(column.type)) for column in schema])


def common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return the columns of several schemas of records, each with the common type of all."""
    found: dict[str, pa.DataType] = {}
    for column in (column for schema in schemas for column in schema):
        found[column.name] = common_type(found.get(column.name, column.type), column.type)
    return pa.schema(list(found.items()))


def record_column(array: _Array, name: str, losses: Losses, kind: pa.DataType | None = None) -> _Array:
    """Return a column with the type of records, or with `kind`, which is the common type of several tables.

    `losses` counts the values that changed, under `name`.
    """
    found = _Conversion(name, losses).converted(array, 0)
    return found if kind is None or found.type == kind else _as_common(found, kind)


@dataclass(frozen=True)
class _Conversion:
    """Converts the arrays of one column."""

    name: str
    losses: Losses

    def converted(self, array: _Array, depth: int) -> _Array:
        kind, types = array.type, pa.types
        if encoded_type(kind) is not None:
            return self._decoded(array, depth)
        if is_list(kind) and depth < MAX_DEPTH:
            return self._list(array, depth + 1)
        if types.is_map(kind) and depth < MAX_DEPTH:
            return self._map(array, depth + 1)
        if types.is_struct(kind) and kind.num_fields and depth < MAX_DEPTH:
            return self._struct(array, depth + 1)
        if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
            return self._text(array)
        if is_bytes(kind) or types.is_binary_view(kind):
            return self._bytes(array, depth)
        return self._as_text(array) if types.is_nested(kind) else self._plain(array)

    def _decoded(self, array: _Array, depth: int) -> _Array:
        """Decode a dictionary or run-end encoding, or take the storage of an extension type."""
        if isinstance(array.type, pa.UuidType):
            return pa.array([None if one is None else str(one) for one in array.to_pylist()], pa.string())
        if isinstance(array.type, pa.BaseExtensionType):
            return self.converted(array.storage, depth)
        if isinstance(array.type, pa.RunEndEncodedType):
            return self.converted(_compute.run_end_decode(array), depth)
        return self.converted(array.dictionary.take(array.indices), depth)

    def _plain(self, array: _Array) -> _Array:
        """Convert numbers, times, and types that only have a text in records."""
        kind, types = array.type, pa.types
        wanted = record_type(kind)
        if types.is_timestamp(kind) or types.is_date(kind):
            return self._moments(array, wanted)
        if types.is_time(kind) or types.is_duration(kind):
            return self._durations(array, wanted)
        if wanted == kind:
            return array
        return array.cast(wanted) if types.is_decimal(kind) else self._as_text(array)

    def _moments(self, array: _Array, wanted: pa.DataType) -> _Array:
        """Keep the times of the years 1 to 9999, which Python and JSON have."""
        kind = array.type
        if pa.types.is_date(kind):
            values = _integers(array, pa.int32() if kind == pa.date32() else pa.int64())
            days = values if kind == pa.date32() else values // _DAY_MS
            good = (days >= _FIRST_DAY) & (days <= _LAST_DAY)
            return self._masked(np.where(good, days, 0).astype(np.int32), good, array, wanted)
        values = _integers(array, pa.int64())
        per_day = {"s": _DAY_US // 10**6, "ms": _DAY_MS, "us": _DAY_US, "ns": _DAY_US * 1000}[kind.unit]
        days = values // per_day
        good = (days >= _FIRST_DAY) & (days <= _LAST_DAY)
        return self._masked(_microseconds(np.where(good, values, 0), kind.unit), good, array, wanted)

    def _durations(self, array: _Array, wanted: pa.DataType) -> _Array:
        kind = array.type
        is_short = kind.bit_width == 32
        values = _integers(array, pa.int32() if is_short else pa.int64()).astype(np.int64)
        bound = _MAX_DURATION_US // _US.get(kind.unit, 1)
        good = (values >= -bound) & (values <= bound)
        found = _microseconds(np.where(good, values, 0), kind.unit)
        if pa.types.is_time(kind):
            good &= (found >= 0) & (found < _DAY_US)
        return self._masked(np.where(good, found, 0), good, array, wanted)

    def _masked(
        self, values: NDArray[Any], good: NDArray[np.bool_], array: _Array, wanted: pa.DataType
    ) -> _Array:
        """Return the values as type `wanted`, null where the array is null or a value is not good."""
        known = array.is_valid().to_numpy(zero_copy_only=False)
        self._count(int((known & ~good).sum()))
        return pa.array(values, mask=~(known & good)).cast(wanted)

    def _count(self, lost: int) -> None:
        if lost:
            self.losses.lost[self.name] += lost

    def _text(self, array: _Array) -> _Array:
        wanted: Any = pa.large_string() if pa.types.is_large_string(array.type) else pa.string()
        is_view = pa.types.is_string_view(array.type)
        data = array.cast(pa.binary_view()).cast(pa.binary()) if is_view else array
        data = data.cast(pa.large_binary() if wanted == pa.large_string() else pa.binary())
        try:
            return data.cast(wanted)
        except pa.ArrowInvalid:
            found = [None if one is None else decode_text(one) for one in data.to_pylist()]
        is_valid = (None if one is None else _is_utf8(one) for one in data.to_pylist())
        self.losses.recoded[self.name] += sum(valid is False for valid in is_valid)
        return pa.array(found, wanted)

    def _bytes(self, array: _Array, depth: int) -> _Array:
        if depth:
            return self._as_text(array)
        return array.cast(pa.binary()) if pa.types.is_binary_view(array.type) else array

    def _list(self, array: _Array, depth: int) -> _Array:
        entries, offsets = self._entries(array, depth)
        return pa.ListArray.from_arrays(offsets, entries)

    def _entries(self, array: _Array, depth: int) -> tuple[_Array, _Array]:
        """Return the converted entries of all lists, and the offsets of the lists, null for null."""
        entries = self.converted(_compute.list_flatten(array), depth)
        return entries, _offsets(array)

    def _map(self, array: _Array, depth: int) -> _Array:
        kind = array.type
        pairs = array.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)])))
        entries = _compute.list_flatten(pairs)
        wanted: Any = record_type(kind, depth - 1)
        keys = self.converted(entries.field("key"), depth)
        if keys.type != wanted.key_type:
            keys = _as_common(keys, wanted.key_type)
        keys = _compute.fill_null(keys, "") if keys.null_count else keys
        items = self.converted(entries.field("value"), depth)
        return pa.MapArray.from_arrays(_offsets(pairs), keys, items)

    def _struct(self, array: _Array, depth: int) -> _Array:
        names = [column.name for column in record_type(array.type, depth - 1).fields]  # type: ignore[attr-defined]
        children = [self.converted(child, depth) for child in array.flatten()]
        return pa.StructArray.from_arrays(children, names=names, mask=array.is_null())

    def _as_text(self, array: _Array) -> _Array:
        return pa.array([self._text_of(entry) for entry in array], pa.string())

    def _text_of(self, entry: Any) -> str | None:
        if not entry.is_valid:
            return None
        try:
            return text_of(entry.as_py())
        except _UNREADABLE:
            self._count(1)
            return None


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _integers(array: _Array, kind: pa.DataType) -> NDArray[Any]:
    """Return the numbers behind times, 0 for null."""
    plain = array.view(kind) if not pa.types.is_date64(array.type) else array.cast(kind)
    found: NDArray[Any] = _compute.fill_null(plain, pa.scalar(0, kind)).to_numpy(zero_copy_only=False)
    return found


def _microseconds(values: NDArray[np.int64], unit: str) -> NDArray[np.int64]:
    return values // 1000 if unit == "ns" else values * _US[unit]


def _offsets(lists: _Array) -> _Array:
    """Return the offsets of lists in their flattened entries, null for a list that is null."""
    lengths = _compute.fill_null(_compute.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int32)
    is_null = lists.is_null().to_numpy(zero_copy_only=False)
    return pa.array(offsets, mask=np.append(is_null, False))


def _as_common(array: _Array, kind: Any) -> _Array:
    """Convert a column of records to the common type of several tables."""
    types = pa.types
    if types.is_null(array.type):
        return pa.nulls(len(array), kind)
    if types.is_list(kind) and types.is_list(array.type):
        entries = _as_common(_compute.list_flatten(array), kind.value_type)
        return pa.ListArray.from_arrays(_offsets(array), entries)
    is_text = types.is_string(kind) or types.is_large_string(kind)
    if is_text and not _casts_to_text(array.type):
        return pa.array([text_of(value) for value in array.to_pylist()], kind)
    return array.cast(kind, safe=False)


def _casts_to_text(kind: pa.DataType) -> bool:
    """Return whether Arrow converts a type to text as `text_of` does."""
    types = pa.types
    is_text = types.is_string(kind) or types.is_large_string(kind)
    return bool(is_text or types.is_integer(kind) or types.is_boolean(kind))


def text_of(value: object) -> str | None:
    """Return a value of any kind as text: JSON, times as ISO 8601, bytes as base64."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, date | datetime | time | bytes):
        return str(_json_text(value))
    is_json = isinstance(value, bool | int | float | list | tuple | dict)
    return json.dumps(value, ensure_ascii=False, default=_json_text) if is_json else str(value)


def _json_text(value: object) -> str:
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    return value.isoformat() if isinstance(value, date | datetime | time) else str(value)


def converted_value(value: Any, kind: Any) -> Any:
    """Return a value of records as the common type of several sources; None for a text that is not of it."""
    types = pa.types
    if types.is_string(kind) or types.is_large_string(kind):
        return text_of(value)
    if value is None or isinstance(value, str):
        return None
    if types.is_list(kind):
        return [converted_value(entry, kind.value_type) for entry in value]
    return float(value) if types.is_floating(kind) else value
