"""Protocol buffers, the format that ONNX files are written in: just enough to walk one and to copy parts."""

import mmap
from collections.abc import Iterator
from pathlib import Path

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10

Value = int | memoryview


def mapped(path: Path) -> memoryview:
    """Return the bytes of a file, read when they are looked at. Raises OSError, or ValueError for an empty file."""
    with path.open("rb") as file:
        # Not closed here: parts of it may be in use as long as a traceback names them.
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield the fields of a message, in order: (number, value). Raises ValueError or IndexError for damage."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            number, at = _varint(message, at)
            yield key >> 3, number
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if length > len(message) - at:
            raise ValueError(f"it ends {length - len(message) + at} bytes too early")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(_MAX_VARINT_BYTES):
        byte = message[at + shift]
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    raise ValueError("a number that never ends")


def part(value: Value) -> memoryview:
    """Return the value as a message of its own. Raises ValueError for a number."""
    if isinstance(value, int):
        raise ValueError("a number where a part belongs")
    return value


def text(value: Value) -> str:
    """Return the value as text. Raises ValueError for anything else."""
    return bytes(part(value)).decode()


def encoded(field: int, content: bytes | bytearray | memoryview) -> bytes:
    """Return one field of bytes, as it stands in a message."""
    return _encoded_varint(field << 3 | _BYTES) + _encoded_varint(len(content)) + bytes(content)


def encoded_number(field: int, number: int) -> bytes:
    """Return one field of a number, as it stands in a message."""
    return _encoded_varint(field << 3 | _VARINT) + _encoded_varint(number)


def _encoded_varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
