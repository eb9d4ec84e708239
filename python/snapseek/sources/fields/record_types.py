"""The types that values of tables have in records, and the common type of a column of several tables.

    in a table                                      in a record
    dictionary, run-end, view, extension            the plain type of its values
    timestamp of any unit and time zone             timestamp[us], in UTC if it has a time zone
    date32, date64                                  date32
    time32, time64, duration of any unit            time64[us], duration[us]
    list, large list, fixed-size list, list view    list
    struct, map                                     the same of record types, to a depth of 6
    bytes inside of lists and objects, UUID         text (base64, hexadecimal)
    interval, union, an object without fields       text
    boolean, number, text, bytes, null              the same

A column that has different types in several tables gets the type that holds all of them, or else is text.
"""

from typing import Any

import pyarrow as pa

MAX_DEPTH = 6
"""Deeper values become JSON text; records hold at most 8 levels."""

_UTC = pa.timestamp("us", "UTC")
_UNSIGNED_DIGITS = 20


def record_type(kind: pa.DataType, depth: int = 0) -> pa.DataType:
    """Return the type that values of type `kind` have in records."""
    types = pa.types
    if (plain := encoded_type(kind)) is not None:
        return record_type(plain, depth)
    if types.is_binary_view(kind) or is_bytes(kind):
        return pa.string() if depth else kind if not types.is_binary_view(kind) else pa.binary()
    if types.is_nested(kind):
        return pa.string() if depth >= MAX_DEPTH else _nested(kind, depth + 1)
    return _plain(kind)


def encoded_type(kind: pa.DataType) -> pa.DataType | None:
    """Return the type of the values of a dictionary, a run-end encoding or an extension; None for others."""
    if isinstance(kind, pa.UuidType):
        return pa.string()
    if isinstance(kind, pa.BaseExtensionType):
        return kind.storage_type
    return kind.value_type if isinstance(kind, pa.DictionaryType | pa.RunEndEncodedType) else None


def _plain(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_timestamp(kind):
        return pa.timestamp("us") if kind.tz is None else _UTC
    if types.is_date(kind):
        return pa.date32()
    if types.is_time(kind):
        return pa.time64("us")
    if types.is_duration(kind):
        return pa.duration("us")
    if types.is_decimal(kind) and kind.bit_width < 128:
        return pa.decimal128(kind.precision, kind.scale)
    is_kept = types.is_primitive(kind) or types.is_decimal(kind) or types.is_null(kind)
    is_interval = types.is_interval(kind)
    return kind if types.is_large_string(kind) or (is_kept and not is_interval) else pa.string()


def _nested(kind: Any, depth: int) -> pa.DataType:
    types = pa.types
    if is_list(kind):
        return pa.list_(record_type(kind.value_type, depth))
    if types.is_map(kind):
        key = record_type(kind.key_type, depth)
        is_plain = types.is_integer(key) or types.is_string(key)
        return pa.map_(key if is_plain else pa.string(), record_type(kind.item_type, depth))
    if types.is_struct(kind) and kind.num_fields:
        fields = (kind.field(index) for index in range(kind.num_fields))
        names = distinct_names([field.name for field in fields])
        return pa.struct([(name, record_type(kind.field(n).type, depth)) for n, name in enumerate(names)])
    return pa.string()


def distinct_names(names: list[str]) -> list[str]:
    """Return the names, with trailing underscores for those that occur before."""
    found: list[str] = []
    for name in names:
        while name in found:
            name += "_"
        found.append(name)
    return found


def is_list(kind: pa.DataType) -> bool:
    """Return whether a type is any kind of list."""
    types = pa.types
    is_view = types.is_list_view(kind) or types.is_large_list_view(kind)
    return is_view or types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def is_bytes(kind: pa.DataType) -> bool:
    """Return whether values of a type are raw bytes."""
    types = pa.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type of records that holds the values of two of them, text if there is no other."""
    types = pa.types
    if one == other or types.is_null(other):
        return one
    if types.is_null(one):
        return other
    if _is_number(one) and _is_number(other):
        return _common_number(one, other)
    if types.is_list(one) and types.is_list(other):
        return pa.list_(common_type(one.value_type, other.value_type))
    if types.is_timestamp(one) and types.is_timestamp(other):
        return _UTC
    if types.is_temporal(one) and types.is_temporal(other):
        found = next((kind for kind in (one, other) if types.is_timestamp(kind)), None)
        is_date = types.is_date(one) or types.is_date(other)
        return found if found is not None and is_date else pa.string()
    return pa.large_string() if pa.large_string() in (one, other) else pa.string()


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _common_number(one: Any, other: Any) -> pa.DataType:
    types = pa.types
    if types.is_floating(one) or types.is_floating(other):
        return pa.float64()
    if types.is_integer(one) and types.is_integer(other):
        is_signed = types.is_signed_integer(one), types.is_signed_integer(other)
        if is_signed[0] == is_signed[1]:
            return one if one.bit_width > other.bit_width else other
        if pa.uint64() not in (one, other):
            return pa.int64()
    scales = [0 if types.is_integer(kind) else kind.scale for kind in (one, other)]
    digits = [
        _UNSIGNED_DIGITS if types.is_integer(kind) else kind.precision - kind.scale for kind in (one, other)
    ]
    precision = max(digits) + max(scales)
    return pa.decimal128(precision, max(scales)) if precision <= 38 else pa.float64()
