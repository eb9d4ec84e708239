"""Original files: found by id, sent unchanged if browsers can show them, converted to JPEG otherwise.

The format of a file is read from its first bytes, never from its name. Only raster formats are sent
unchanged: an SVG or HTML file with the name of a picture never reaches a browser.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import FileResponse

from snapseek.errors import ItemNotFoundError
from snapseek.images import fit_width, open_image, to_jpeg
from snapseek.images.formats import HEAD_BYTES, find_format
from snapseek.server.headers import etag_of
from snapseek.server.problems import rejection
from snapseek.sources.archive_uri import file_of, read_member

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from snapseek.library import Library

BROWSER_MEDIA_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"})

_ONE_RANGE = re.compile(r"bytes=(?:(?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})?|-(?P<tail>[0-9]{1,18}))")


@dataclass(frozen=True)
class Original:
    """One original file."""

    path: Path
    file_stat: os.stat_result
    media_type: str | None
    """None if not every browser can show this format."""
    width: int
    """Of the picture, in pixels."""
    data: bytes | None = None
    """The bytes of a picture inside an archive or a table; None if the picture is the whole file."""
    variant: str = ""
    """Distinguishes the pictures of one archive or table in entity tags."""
    name: str = ""
    """The name of a file in an archive, which tells what its bytes are."""

    def is_sendable(self, max_width: int | None) -> bool:
        """Return whether the file can be sent unchanged if at most `max_width` pixels are requested."""
        return self.media_type is not None and (max_width is None or self.width <= max_width)

    def etag(self, max_width: int | None) -> str:
        """Return the entity tag of the response for `max_width`."""
        if self.is_sendable(max_width):
            return etag_of(self.file_stat, self.variant)
        return etag_of(self.file_stat, f"{self.variant}-jpeg{max_width or ''}")


def find_original(library: Library, item_id: int) -> Original:
    """Return the original of a picture.

    Raises
    ------
    ItemNotFoundError
        No picture has this id, or its file is missing or unreadable.
    """
    width = library[item_id].width
    data = library.remote_original(item_id)
    if data is not None:
        return _remote(data, width)
    uri = library.archive_uri(item_id)
    if uri is not None:
        return _archive_member(uri, item_id, width)
    path = library.original_path(item_id)
    try:
        file_stat, head = _read_head(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(item_id, "no file at its path") from error
    except OSError as error:
        raise _missing(item_id, f"a file that cannot be opened ({error.strerror})") from error
    if not stat.S_ISREG(file_stat.st_mode):
        raise _missing(item_id, "something that is not a file")
    return Original(path, file_stat, media_type_of(head), width)


def file_of_original(library: Library, item_id: int) -> Path:
    """Return the file of a picture, or the archive or table that it is in.

    Raises ItemNotFoundError as `find_original` does.
    """
    uri = library.archive_uri(item_id)
    path = library.original_path(item_id) if uri is None else file_of(uri)
    if not path.is_file():
        raise _missing(item_id, "no file at its path")
    return path


def _missing(item_id: int, got: str) -> ItemNotFoundError:
    return ItemNotFoundError(
        expected=f"the original of picture {item_id}", got=got, hint="only its preview is left"
    )


def _remote(data: bytes, width: int) -> Original:
    """Return a picture that the server of a partition has sent."""
    fields = (stat.S_IFREG, 0, 0, 1, 0, 0, len(data), 0, 0, 0)
    status = os.stat_result(fields, {"st_mtime_ns": 0})
    variant = f"-{hashlib.blake2b(data, digest_size=8).hexdigest()}"
    return Original(Path(), status, media_type_of(data[:HEAD_BYTES]), width, data, variant)


def _archive_member(uri: str, item_id: int, width: int) -> Original:
    """Return a picture inside an archive or a table."""
    data = read_member(uri)
    path = file_of(uri)
    media_type = media_type_of(data[:HEAD_BYTES])
    name = uri if uri.startswith("tar:///") else ""
    return Original(path, path.stat(), media_type, width, data, f"-{item_id:x}", name)


def media_type_of(head: bytes) -> str | None:
    """Return the media type by the first bytes of a file; None if not every browser can show it."""
    image_format = find_format(head)
    return (
        image_format.media_type if image_format and image_format.media_type in BROWSER_MEDIA_TYPES else None
    )


def resized_jpeg(source: Path | bytes, max_width: int | None, name: str = "") -> bytes:
    """Return a picture as JPEG, at most `max_width` pixels wide, never enlarged; `name` as in `open_image`.

    Raises
    ------
    PictureError
        The file cannot be read as a picture.
    """
    # The decoder may shrink a JPEG, but keeps its sides larger than `min_side`.
    image = open_image(source, name=name, min_side=max_width).image
    return to_jpeg(image if max_width is None else fit_width(image, max_width))


class OriginalFile(FileResponse):
    """A file that is sent unchanged, whole or one range of it.

    A `Range` header that is malformed or has several ranges is ignored, as RFC 9110 allows. A range that
    begins after the end of the file is a 416.
    """

    def __init__(self, original: Original, headers: dict[str, str]) -> None:
        super().__init__(
            original.path, headers=headers, media_type=original.media_type, stat_result=original.file_stat
        )
        self.size_bytes = original.file_stat.st_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, the requested range, or a 416."""
        header = Headers(scope=scope).get("range")
        byte_range = _ONE_RANGE.fullmatch(header) if header else None
        if byte_range is None or _is_reversed(byte_range):
            scope = {**scope, "headers": [entry for entry in scope["headers"] if entry[0] != b"range"]}
        elif not _is_satisfiable(byte_range, self.size_bytes):
            response = rejection(
                416,
                {"content-range": f"bytes */{self.size_bytes}"},
                expected=f"a range that begins before byte {self.size_bytes}, the end of the file",
            )
            await response(scope, receive, send)
            return
        await super().__call__(scope, receive, send)


def _read_head(path: Path) -> tuple[os.stat_result, bytes]:
    # Non-blocking, so that a named pipe at the path of a picture cannot block the thread.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        file_stat = os.fstat(descriptor)
        head = os.read(descriptor, HEAD_BYTES) if stat.S_ISREG(file_stat.st_mode) else b""
    finally:
        os.close(descriptor)
    return file_stat, head


def _is_reversed(byte_range: re.Match[str]) -> bool:
    return byte_range["last"] is not None and int(byte_range["last"]) < int(byte_range["first"])


def _is_satisfiable(byte_range: re.Match[str], size_bytes: int) -> bool:
    if byte_range["tail"] is not None:
        return int(byte_range["tail"]) > 0 and size_bytes > 0
    return int(byte_range["first"]) < size_bytes
