"""A ZIP archive of originals, written while it is sent: neither memory nor disk holds it.

Members are stored, not compressed: pictures are compressed already. The archive is bounded by the number of
pictures and by the bytes that their files have when it begins.
"""

from __future__ import annotations

import io
import re
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from snapseek.errors import ItemNotFoundError, OutOfRangeError, SnapseekError
from snapseek.images.formats import HEAD_BYTES, find_format
from snapseek.server.images.originals import find_original

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from snapseek.library import Library
    from snapseek.server.images.originals import Original

MAX_ARCHIVE_BYTES = 2_000_000_000
MISSING_NAME = "not included.txt"

_CHUNK_BYTES = 1 << 18
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_MAX_NAME_CHARACTERS = 120


@dataclass(frozen=True)
class Member:
    """One picture of an archive."""

    name: str
    item_id: int
    size_bytes: int
    """The maximum number of bytes to send, even if the file grows."""


@dataclass(frozen=True)
class Contents:
    """What an archive will contain, and the names of pictures whose originals cannot be read."""

    members: list[Member]
    missing: list[str]


def archive_contents(library: Library, ids: Sequence[int], max_bytes: int = MAX_ARCHIVE_BYTES) -> Contents:
    """Find the originals of these pictures.

    Raises
    ------
    ItemNotFoundError
        No picture has one of the ids, or none of the originals can be read.
    OutOfRangeError
        Together they have more than `max_bytes`.
    """
    members: list[Member] = []
    missing: list[str] = []
    taken: set[str] = {MISSING_NAME}
    for item_id in ids:
        name = _unique(_safe_name(library, item_id), taken)
        try:
            original = find_original(library, item_id)
        except SnapseekError as error:
            missing.append(f"{name}: {error.got or error}")
            continue
        size = len(original.data) if original.data is not None else original.file_stat.st_size
        members.append(Member(name, item_id, size))
    if not members:
        raise ItemNotFoundError(expected="an original of the selected pictures", got="none that can be read")
    total = sum(member.size_bytes for member in members)
    if total > max_bytes:
        raise OutOfRangeError(
            expected=f"originals of at most {max_bytes / 1e9:g} GB together",
            got=f"{total / 1e9:.1f} GB",
            hint="select fewer pictures",
        )
    return Contents(members, missing)


def archive_chunks(library: Library, contents: Contents) -> Iterator[bytes]:
    """Yield the archive in pieces of some 256 KB. A file that went away meanwhile is listed as missing."""
    sink = _Sink()
    missing = list(contents.missing)
    with ZipFile(sink, "w", ZIP_STORED) as archive:
        for member in contents.members:
            try:
                original = find_original(library, member.item_id)
                source = _opened(original)
            except (SnapseekError, OSError) as error:
                missing.append(f"{member.name}: {error}")
                continue
            with source:
                head = source.read(min(HEAD_BYTES, member.size_bytes))
                if find_format(head) is None:
                    missing.append(f"{member.name}: not a picture")
                    continue
                info = ZipInfo(member.name, date_time=_zip_time(original.file_stat.st_mtime))
                with archive.open(info, "w") as target:
                    target.write(head)
                    for chunk in _chunks(source, member.size_bytes - len(head)):
                        target.write(chunk)
                        yield sink.take()
        if missing:
            archive.writestr(MISSING_NAME, "".join(f"{line}\n" for line in missing))
    yield sink.take()


def _chunks(source: IO[bytes], size_bytes: int) -> Iterator[bytes]:
    """Yield at most `size_bytes` of a file, in pieces."""
    while chunk := source.read(min(_CHUNK_BYTES, size_bytes)):
        size_bytes -= len(chunk)
        yield chunk


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken. It cannot seek, so the archive has data descriptors."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(data)  # type: ignore[call-overload]
        self._buffer += chunk
        return len(chunk)

    def take(self) -> bytes:
        """Return what was written since the last call."""
        chunk = bytes(self._buffer)
        self._buffer.clear()
        return chunk


def _opened(original: Original) -> IO[bytes]:
    return original.path.open("rb") if original.data is None else io.BytesIO(original.data)


def _safe_name(library: Library, item_id: int) -> str:
    """Return the file name of a picture, as any file system takes it."""
    name = library[item_id].meta.get("name")
    text = _UNSAFE.sub("_", str(name or "")).strip(". ")
    return text[-_MAX_NAME_CHARACTERS:] or f"picture {item_id}"


def _unique(name: str, taken: set[str]) -> str:
    """Return the name with a number if it is in use, in any case of letters."""
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{stem} ({number}){dot}{suffix}"
    taken.add(candidate.casefold())
    return candidate


def _zip_time(seconds: float) -> tuple[int, int, int, int, int, int]:
    """Return a time as ZIP stores it: from 1980 to 2107."""
    moment = time.localtime(seconds)
    year = min(2107, max(1980, moment.tm_year))
    return (year, moment.tm_mon, moment.tm_mday, moment.tm_hour, moment.tm_min, moment.tm_sec)
