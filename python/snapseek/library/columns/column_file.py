"""The file of a column index: named arrays.

Little-endian. 8 bytes SNAPFACE; uint32 length and CRC-32 of a header in JSON; the header, with the name,
type, length, offset and CRC-32 of each array; the arrays, each at a multiple of 64 bytes. Derived from the
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
from snapseek.mapped_file import LoadMode, MappedFile

_MAGIC = b"SNAPFACE"
_START = struct.Struct("<8sII")
_ALIGNMENT = 64
_EDITION = 2
_MAX_HEADER_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 22

Arrays = Mapping[str, NDArray[Any]]


class StaleError(FormatError):
    """The file is sound, but of another edition or of other records. It is built again."""


def write_arrays(path: Path, stamp: Mapping[str, object], arrays: Arrays) -> bool:
    """Write the file atomically. Return False if the disk refuses or a foreign file has the name.

    Parameters
    ----------
    path
        The file.
    stamp
        What identifies the records that the arrays were built from.
    arrays
        The arrays by name.
    """
    try:
        with atomic_file(path, may_replace=_is_ours) as file:
            header, offsets = _header(stamp, arrays)
            file.write(header)
            for offset, array in zip(offsets, arrays.values(), strict=True):
                file.seek(offset)
                file.write(np.ascontiguousarray(array).data)
            file.truncate(max(file.tell(), len(header)))
    except OSError:
        return False
    return True


def _is_ours(path: Path) -> bool:
    return first_bytes(path, len(_MAGIC)) == _MAGIC


def _header(stamp: Mapping[str, object], arrays: Arrays) -> tuple[bytes, list[int]]:
    """Return the start of the file, and the offset of each array; the header has them from its own end."""
    entries, offsets, end = {}, [], 0
    for name, array in arrays.items():
        entries[name] = [array.dtype.str, len(array), end, _crc_of(array)]
        offsets.append(end)
        end = _aligned(end + array.nbytes)
    fields = {"edition": _EDITION, "stamp": dict(stamp), "arrays": entries, "bytes": end}
    text = json.dumps(fields).encode()
    begin = _aligned(_START.size + len(text))
    return _START.pack(_MAGIC, len(text), zlib.crc32(text)) + text, [begin + offset for offset in offsets]


def _crc_of(array: NDArray[Any]) -> int:
    """Return the CRC-32 of the bytes. zlib releases the GIL for each block."""
    content = np.ascontiguousarray(array).view(np.uint8).data
    crc = 0
    for start in range(0, len(content), _BLOCK_BYTES):
        crc = zlib.crc32(content[start : start + _BLOCK_BYTES], crc)
    return crc


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def read_arrays(
    path: Path, stamp: Mapping[str, object], load: LoadMode = "map"
) -> tuple[dict[str, NDArray[Any]], MappedFile]:
    """Map or load the arrays, and compare the checksum of each. Also return the file, to check its length.

    Raises
    ------
    StaleError
        If the file is of another edition or was built from other records.
    FormatError
        If the file is missing or damaged.
    """
    try:
        file = MappedFile(path, load)
        content = np.frombuffer(file.view, np.uint8)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} cannot be read: {error}") from error
    begin, fields = _read_header(path, content)
    if fields.get("edition") != _EDITION or fields.get("stamp") != dict(stamp):
        raise StaleError(f"{path} was built from other records")
    try:
        entries = dict(fields["arrays"]).items()
        return {str(name): _array(content[begin:], *entry) for name, entry in entries}, file
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise FormatError(f"{path} is damaged: {error}") from error


def _read_header(path: Path, content: NDArray[np.uint8]) -> tuple[int, dict[str, Any]]:
    """Return the offset of the arrays, and the fields of the header."""
    if len(content) < _START.size:
        raise FormatError(f"{path} is too short")
    magic, length, checksum = _START.unpack(content[: _START.size].tobytes())
    if magic != _MAGIC or length > _MAX_HEADER_BYTES:
        raise FormatError(f"{path} is not a file of arrays")
    text = content[_START.size : _START.size + length].tobytes()
    if len(text) != length or zlib.crc32(text) != checksum:
        raise FormatError(f"the header of {path} is damaged")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the header of {path} is damaged: {error}") from error
    if not isinstance(fields, dict):
        raise FormatError(f"the header of {path} is damaged")
    return _aligned(_START.size + length), fields


def _array(content: NDArray[np.uint8], kind: str, length: int, offset: int, crc: int) -> NDArray[Any]:
    dtype = np.dtype(str(kind))
    if dtype.kind not in "biuf" or dtype.byteorder == ">":
        raise ValueError(f"an array has the type {str(kind)[:20]}")
    if (
        not 0 <= offset <= len(content)
        or not 0 <= length * dtype.itemsize <= len(content) - offset
        or offset % dtype.itemsize
    ):
        raise ValueError("an array lies outside the file")
    part = content[offset : offset + length * dtype.itemsize]
    if _crc_of(part) != crc:
        raise ValueError("the checksum of an array differs")
    return part.view(dtype)
