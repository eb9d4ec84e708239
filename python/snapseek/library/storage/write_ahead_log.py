"""Proof that a write-ahead log belongs to the database it lies next to.

SQLite replays any sound log into the database of that name, and overwrites or removes one that is not sound.
Neither asks whose log it is, so this is checked before a writer opens the database.
See https://sqlite.org/fileformat2.html#the_write_ahead_log.
"""

import struct
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct(">IIII8s8s")
_MAGIC_START = b"\x37\x7f\x06"
_MAGIC_WORD = {0x377F0682: "<I", 0x377F0683: ">I"}
"""How the checksums of a log read their words, by its magic number."""

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
            if not _is_sound(header):
                # SQLite replays nothing of it, and writes over it.
                return header.startswith(_MAGIC_START) or _first_page_id(file, page_bytes) in application_ids
            _, version, size, _, salts, _ = _HEADER.unpack(header)
            if version != _VERSION or size != page_bytes:
                return False
            return _last_first_page_id(file, size, salts, min(application_ids)) in application_ids
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _is_sound(header: bytes) -> bool:
    """Return whether the header of a log is whole: SQLite replays no other, as a power cut may leave it."""
    if len(header) < _HEADER.size:
        return False
    magic, *_, checksum = _HEADER.unpack(header)
    if magic not in _MAGIC_WORD:
        return False
    first = second = 0
    words = [word for (word,) in struct.iter_unpack(_MAGIC_WORD[magic], header[: -len(checksum)])]
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFF_FFFF
        second = (second + odd + first) & 0xFFFF_FFFF
    return bool(struct.pack(">II", first, second) == checksum)


def _first_page_id(file: BinaryIO, page_bytes: int) -> int | None:
    """The application id in the last copy of the first page behind a header of noise."""
    file.seek(_HEADER.size)
    frame = file.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return None
    _, _, salts = _FRAME.unpack(frame)
    file.seek(_HEADER.size)
    return _last_first_page_id(file, page_bytes, salts, None)


def page_size_of(header: bytes) -> int:
    """Return the size of a page that the first 100 bytes of a database name."""
    (size,) = struct.unpack_from(">H", header, 16)
    return _MAX_PAGE_BYTES if size == 1 else int(size)


def _last_first_page_id(file: BinaryIO, page_bytes: int, salts: bytes, otherwise: int | None) -> int | None:
    """The application id in the last copy of the first page; None if that is no page of a database.

    Frames with other salts are left over from an earlier round of the log, and are not replayed.
    """
    found = otherwise
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
