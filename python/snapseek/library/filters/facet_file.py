"""A file of named arrays: what was made of one column for filters, kept so that it need not be made again.

Little-endian. 8 bytes SNAPFACE; uint32 length and CRC-32 of a header in JSON; the header, with the name,
type, length and place of each array; the arrays, each at a multiple of 64 bytes. Derived from the records:
whatever is wrong with it, it is made anew.
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
_EDITION = 1
_MAX_HEADER_BYTES = 1 << 20

Arrays = Mapping[str, NDArray[Any]]


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
        entries[name] = [array.dtype.str, len(array), at]
        places.append(at)
        at = _aligned(at + array.nbytes)
    facts = {"edition": _EDITION, "stamp": dict(stamp), "arrays": entries, "bytes": at}
    text = json.dumps(facts).encode()
    begin = _aligned(_START.size + len(text))
    return _START.pack(_MAGIC, len(text), zlib.crc32(text)) + text, [begin + place for place in places]


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def read_arrays(path: Path, stamp: Mapping[str, object]) -> dict[str, NDArray[Any]]:
    """The arrays, mapped. Raises FormatError when the file is missing, damaged or made of something else."""
    try:
        content = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} cannot be read: {error}") from error
    if len(content) < _START.size:
        raise FormatError(f"{path} is too short")
    magic, length, checksum = _START.unpack(content[: _START.size].tobytes())
    if magic != _MAGIC or length > _MAX_HEADER_BYTES:
        raise FormatError(f"{path} is no file of arrays")
    text = content[_START.size : _START.size + length].tobytes()
    if len(text) != length or zlib.crc32(text) != checksum:
        raise FormatError(f"the header of {path} is damaged")
    facts = json.loads(text)
    if facts["edition"] != _EDITION or facts["stamp"] != dict(stamp):
        raise FormatError(f"{path} was made of something else")
    begin = _aligned(_START.size + length)
    return {name: _view(path, content, begin, entry) for name, entry in facts["arrays"].items()}


def _view(path: Path, content: NDArray[np.uint8], begin: int, entry: tuple[str, int, int]) -> NDArray[Any]:
    kind, length, at = entry
    dtype = np.dtype(kind)
    part = content[begin + at : begin + at + length * dtype.itemsize]
    if len(part) != length * dtype.itemsize:
        raise FormatError(f"{path} is cut off")
    return part.view(dtype)
