"""The messages between a router and its partitions: a JSON object and arrays, in one run of bytes.

    "SNPF"  u32 length of fields  u32 length of layout  fields  layout  arrays, little-endian

`fields` is a JSON object, `layout` a JSON list of `[name, dtype, [length, ...]]`. Arrays need no parsing, and
partitions mostly have the same layout, which is parsed once: the answer of a partition with 60 results costs
some 10 microseconds. Nothing that is read is trusted: every length is checked against the bytes.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import ParseError

MEDIA_TYPE = "application/x-snapseek-frame+json"
MAX_FRAME_BYTES = 64 << 20
_MAGIC = b"SNPF"
_HEADER = struct.Struct("<4sII")
_DTYPES = frozenset({"<i8", "<f4", "|u1"})
_MAX_ARRAYS = 16
_MAX_FIELDS_BYTES = 32 << 20
_MAX_LAYOUT_BYTES = 4096
_MAX_LAYOUTS = 1024

Array = NDArray[Any]
_Layout = tuple[tuple[str, str, tuple[int, ...], int, int], ...]
"""Name, dtype, shape, number of values and number of bytes of each array."""


@dataclass(frozen=True)
class Frame:
    """One message."""

    fields: Mapping[str, Any]
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the bytes of the message."""
        blocks = [np.ascontiguousarray(array) for array in self.arrays.values()]
        listed = tuple(
            (name, array.dtype.str, array.shape) for name, array in zip(self.arrays, blocks, strict=True)
        )
        fields, layout = self._fields_text, _layout_text(listed)
        head = _HEADER.pack(_MAGIC, len(fields), len(layout))
        return b"".join([head, fields, layout, *(array.tobytes() for array in blocks)])

    def with_array(self, name: str, array: Array) -> "Frame":
        """Return a message with the same fields, which are encoded once, and another array."""
        other = replace(self, arrays={**self.arrays, name: array})
        other.__dict__["_fields_text"] = self._fields_text
        return other

    @cached_property
    def _fields_text(self) -> bytes:
        return json.dumps(self.fields, separators=(",", ":")).encode("ascii")

    @classmethod
    def decode(cls, data: bytes | bytearray | memoryview) -> "Frame":
        """Return the message of these bytes. Raises ParseError for anything else."""
        if not _HEADER.size <= len(data) <= MAX_FRAME_BYTES:
            raise _refusal(f"{len(data)} bytes")
        magic, fields_length, layout_length = _HEADER.unpack_from(data)
        middle = _HEADER.size + fields_length
        start = middle + layout_length
        is_bounded = fields_length <= _MAX_FIELDS_BYTES and layout_length <= _MAX_LAYOUT_BYTES
        if magic != _MAGIC or not is_bounded or start > len(data):
            raise _refusal("other bytes")
        try:
            fields = json.loads(str(data[_HEADER.size : middle], "ascii"))
            layout = _layout_of(bytes(data[middle:start]))
        except (ValueError, RecursionError) as error:
            raise _refusal("JSON that cannot be parsed") from error
        if not isinstance(fields, dict):
            raise _refusal("JSON of another shape")
        if start + sum(size for *_, size in layout) != len(data):
            raise _refusal("too many bytes, or too few")
        arrays = {}
        for name, dtype, shape, count, size in layout:
            array = np.frombuffer(data, dtype, count, start)
            arrays[name] = array.reshape(shape) if len(shape) != 1 else array
            start += size
        return cls(fields, arrays)


@lru_cache(_MAX_LAYOUTS)
def _layout_text(listed: tuple[tuple[str, str, tuple[int, ...]], ...]) -> bytes:
    return json.dumps(listed, separators=(",", ":")).encode("ascii")


@lru_cache(_MAX_LAYOUTS)
def _layout_of(text: bytes) -> _Layout:
    """Return the arrays that a layout lists. Raises ValueError or ParseError."""
    listed = json.loads(text)
    if not isinstance(listed, list) or len(listed) > _MAX_ARRAYS:
        raise _refusal("no list of arrays")
    return tuple(map(_described, listed))


def _described(entry: object) -> tuple[str, str, tuple[int, ...], int, int]:
    if isinstance(entry, list) and len(entry) == 3:
        name, dtype, shape = entry
        is_known = isinstance(name, str) and isinstance(dtype, str) and dtype in _DTYPES
        is_shape = isinstance(shape, list) and len(shape) <= 2 and all(map(_is_length, shape))
        if is_known and is_shape:
            count = math.prod(shape)
            return name, dtype, tuple(shape), count, count * np.dtype(dtype).itemsize
    raise _refusal("an array of another shape")


def excerpt(value: object) -> str:
    """Return the beginning of a value for a message; of a list or object, which may be deep, its type."""
    return type(value).__name__ if isinstance(value, list | dict) else f"{value!r:.60}"


def _is_length(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_FRAME_BYTES


def _refusal(got: str) -> ParseError:
    return ParseError(expected="a message between router and partition", got=got)
