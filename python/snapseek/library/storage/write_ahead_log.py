"""Proof that a write-ahead log belongs to the database it lies next to.

SQLite replays any sound log into the database of that name, and overwrites or removes one that is not sound.
Neither asks whose log it is, so this is checked before a writer opens the database.
See https://sqlite.org/fileformat2.html#the_write_ahead_log.
"""

import struct
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct(">IIII8s8x")
_START = struct.Struct(">III")
_MAGIC_BYTES = 4
_MAGIC = (0x377F0682, 0x377F0683)
_VERSION = 3007000
_FRAME = struct.Struct(">II8s8x")
_PAGE_START_BYTES = 100
_DATABASE_MAGIC = b"SQLite format 3\0"
_APPLICATION_ID_AT = 68
_MAX_PAGE_BYTES = 65536
_MAX_LOST_BYTES = 16 << 20
"""So much of a log that did not reach the disk is taken for one; more, as in a sparse file, is not read."""


def is_log_of(log: Path, page_bytes: int, application_ids: Collection[int]) -> bool:
    """Return whether a writer may let SQLite use `log`.

    Parameters
    ----------
    log
        A regular file, or nothing, which is fine.
    page_bytes
        The size of a page of the database.
    application_ids
        What the last copy of the first page may have as its id. A log that has no copy of it passes.
    """
    try:
        with log.open("rb") as file:
            header = file.read(_HEADER.size)
            if not any(header):  # empty, or its bytes did not reach the disk before a power cut
                return not any(file.read(_MAX_LOST_BYTES)) and not file.read(1)
            if _is_torn(header, page_bytes):
                return True
            if len(header) < _HEADER.size:
                return False
            magic, version, size, _, salts = _HEADER.unpack(header)
            if magic not in _MAGIC or version != _VERSION or size != page_bytes:
                return False
            return _last_first_page_id(file, size, salts, min(application_ids)) in application_ids
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _is_torn(header: bytes, page_bytes: int) -> bool:
    """Return whether the end of a header of SQLite did not reach the disk before a power cut."""
    written = header.rstrip(b"\0")
    if len(written) < _MAGIC_BYTES or (len(header) == _HEADER.size and len(written) > _START.size):
        return False
    starts = [_START.pack(magic, _VERSION, page_bytes) for magic in _MAGIC]
    return any(start.startswith(written[: _START.size]) and start != written for start in starts)


def page_size_of(header: bytes) -> int:
    """Return the size of a page that the first 100 bytes of a database name."""
    (size,) = struct.unpack_from(">H", header, 16)
    return _MAX_PAGE_BYTES if size == 1 else int(size)


def _last_first_page_id(file: BinaryIO, page_bytes: int, salts: bytes, otherwise: int) -> int | None:
    """The application id in the last copy of the first page; None if that is no page of a database.

    Frames with other salts are left over from an earlier round of the log, and are not replayed.
    """
    found: int | None = otherwise
    while len(frame := file.read(_FRAME.size)) == _FRAME.size:
        page, _, frame_salts = _FRAME.unpack(frame)
        if frame_salts != salts:
            break
        if page == 1:
            start = file.read(_PAGE_START_BYTES)
            if len(start) < _PAGE_START_BYTES:
                break
            is_database = start.startswith(_DATABASE_MAGIC)
            found = struct.unpack_from(">I", start, _APPLICATION_ID_AT)[0] if is_database else None
            file.seek(page_bytes - _PAGE_START_BYTES, 1)
        else:
            file.seek(page_bytes, 1)
    return found
