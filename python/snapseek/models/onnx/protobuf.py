"""Minimal reader and writer of protocol buffers, the encoding of ONNX files."""

import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_MAX_NUMBERS = 1000
_MASK64 = (1 << 64) - 1
_MAX_TEXT_BYTES = 4096

MAX_FIELDS = 3_000_000
"""Fields that `bounded` allows: some seconds. A graph of 24 layers has 100,000."""

Value = int | memoryview


class _Budget(threading.local):
    left = float("inf")


_BUDGET = _Budget()


@contextmanager
def bounded(max_fields: int = MAX_FIELDS) -> Iterator[None]:
    """Let the block read at most `max_fields` fields; then `fields` raises ValueError.

    A file of two gigabytes may hold a billion fields, which would take a quarter of an hour.
    """
    before = _BUDGET.left
    _BUDGET.left = max_fields
    try:
        yield
    finally:
        _BUDGET.left = before


def mapped(path: Path) -> memoryview:
    """Map a file into memory. Raises OSError, or ValueError for an empty file."""
    with path.open("rb") as file:
        # Not closed here: views of it may outlive this call.
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield (number, value) of each field of a message. Raises ValueError or IndexError if it is damaged."""
    offset = 0
    while offset < len(message):
        _BUDGET.left -= 1
        if _BUDGET.left < 0:
            raise ValueError("it has too many fields")
        key, offset = _varint(message, offset)
        kind = key & 7
        if kind == _VARINT:
            number, offset = _varint(message, offset)
            yield key >> 3, number
            continue
        if kind == _BYTES:
            length, offset = _varint(message, offset)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"a field of the unknown wire type {kind}")
        if length > len(message) - offset:
            raise ValueError(f"it ends {length - len(message) + offset} bytes too early")
        yield key >> 3, message[offset : offset + length]
        offset += length


def _varint(message: memoryview, offset: int) -> tuple[int, int]:
    value = 0
    for shift in range(_MAX_VARINT_BYTES):
        byte = message[offset + shift]
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, offset + shift + 1
    raise ValueError("a varint of more than 10 bytes")


def part(value: Value) -> memoryview:
    """Return a nested message. Raises ValueError for a number."""
    if isinstance(value, int):
        raise ValueError("a number in place of a message")
    return value


def number_list(value: Value) -> list[int]:
    """Return the numbers of a repeated field, one number or packed; negative ones as in two's complement."""
    if isinstance(value, int):
        return [_signed(value)]
    numbers, offset = [], 0
    while offset < len(value):
        number, offset = _varint(value, offset)
        numbers.append(_signed(number))
        if len(numbers) > _MAX_NUMBERS:
            raise ValueError(f"a list of more than {_MAX_NUMBERS} numbers")
    return numbers


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def text(value: Value) -> str:
    """Return the value as text. Raises ValueError for other values, and for a text that is no name."""
    content = part(value)
    if len(content) > _MAX_TEXT_BYTES:
        raise ValueError(f"a name of {len(content)} bytes")
    return bytes(content).decode()


def encoded(field: int, content: bytes | bytearray | memoryview) -> bytes:
    """Encode a field of bytes."""
    return _encoded_varint(field << 3 | _BYTES) + _encoded_varint(len(content)) + bytes(content)


def encoded_text(field: int, content: str) -> bytes:
    """Encode a field of text."""
    return encoded(field, content.encode())


def encoded_number(field: int, number: int) -> bytes:
    """Encode a field of a number; a negative one in two's complement."""
    return _encoded_varint(field << 3 | _VARINT) + _encoded_varint(number & _MASK64)


def _encoded_varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
