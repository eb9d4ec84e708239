"""A file of named arrays: a column index, kept so that it need not be built again.

Little-endian. 8 bytes SNAPFACE; uint32 length and CRC-32 of a header in JSON; the header, with the name,
type, length, place and CRC-32 of each array; the arrays, each at a multiple of 64 bytes. Derived from the
records: a file that is damaged or of another edition is built again.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.atomic_file import atomic_file, first_bytes
from snapseek.errors import FormatError

_MAGIC = b"SNAPFACE"
_START = struct.Struct("<8sII")
_ALIGNMENT = 64
_EDITION = 2
_MAX_HEADER_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 22

Arrays = Mapping[str, NDArray[Any]]


class StaleError(FormatError):
    """The file is sound, but of another edition or of other records: it is built again."""


def write_arrays(path: Path, stamp: Mapping[str, object], arrays: Arrays) -> bool:
    """Write the file in one step; `stamp` is what it was made of.

    False where the folder refuses, or where something that is no file of arrays has the name.
    """
    try:
        with atomic_file(path, may_replace=_is_ours) as file:
            header, places = _header(stamp, arrays)
            file.write(header)
            for place, array in zip(places, arrays.values(), strict=True):
                file.seek(place)
                file.write(np.ascontiguousarray(array).data)
            file.truncate(max(file.tell(), len(header)))
    except OSError:
        return False
    return True


def _is_ours(path: Path) -> bool:
    return first_bytes(path, len(_MAGIC)) == _MAGIC


def _header(stamp: Mapping[str, object], arrays: Arrays) -> tuple[bytes, list[int]]:
    """The start of the file, and the place of each array. Places are told from the header's end on."""
    entries, places, at = {}, [], 0
    for name, array in arrays.items():
        entries[name] = [array.dtype.str, len(array), at, _crc_of(array)]
        places.append(at)
        at = _aligned(at + array.nbytes)
    facts = {"edition": _EDITION, "stamp": dict(stamp), "arrays": entries, "bytes": at}
    text = json.dumps(facts).encode()
    begin = _aligned(_START.size + len(text))
    return _START.pack(_MAGIC, len(text), zlib.crc32(text)) + text, [begin + place for place in places]


def _crc_of(array: NDArray[Any]) -> int:
    """CRC-32 of the bytes; zlib releases the GIL for each block."""
    content = np.ascontiguousarray(array).view(np.uint8).data
    crc = 0
    for start in range(0, len(content), _BLOCK_BYTES):
        crc = zlib.crc32(content[start : start + _BLOCK_BYTES], crc)
    return crc


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def read_arrays(path: Path, stamp: Mapping[str, object]) -> dict[str, NDArray[Any]]:
    """Map the arrays, and compare the checksum of each.

    Raises
    ------
    StaleError
        When the file is of another edition or was made of something else.
    FormatError
        When the file is missing or damaged.
    """
    try:
        content = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} cannot be read: {error}") from error
    begin, facts = _read_header(path, content)
    if facts.get("edition") != _EDITION or facts.get("stamp") != dict(stamp):
        raise StaleError(f"{path} was made of something else")
    try:
        return {str(name): _array(content[begin:], *entry) for name, entry in dict(facts["arrays"]).items()}
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise FormatError(f"{path} is damaged: {error}") from error


def _read_header(path: Path, content: NDArray[np.uint8]) -> tuple[int, dict[str, Any]]:
    """Return where the arrays begin, and what the header says."""
    if len(content) < _START.size:
        raise FormatError(f"{path} is too short")
    magic, length, checksum = _START.unpack(content[: _START.size].tobytes())
    if magic != _MAGIC or length > _MAX_HEADER_BYTES:
        raise FormatError(f"{path} is no file of arrays")
    text = content[_START.size : _START.size + length].tobytes()
    if len(text) != length or zlib.crc32(text) != checksum:
        raise FormatError(f"the header of {path} is damaged")
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the header of {path} is damaged: {error}") from error
    if not isinstance(facts, dict):
        raise FormatError(f"the header of {path} is damaged")
    return _aligned(_START.size + length), facts


def _array(content: NDArray[np.uint8], kind: str, length: int, at: int, crc: int) -> NDArray[Any]:
    dtype = np.dtype(str(kind))
    if dtype.kind not in "biuf" or dtype.byteorder == ">":
        raise ValueError(f"an array has the type {str(kind)[:20]}")
    if (
        not 0 <= at <= len(content)
        or not 0 <= length * dtype.itemsize <= len(content) - at
        or at % dtype.itemsize
    ):
        raise ValueError("an array lies outside the file")
    part = content[at : at + length * dtype.itemsize]
    if _crc_of(part) != crc:
        raise ValueError("the checksum of an array differs")
    return part.view(dtype)
