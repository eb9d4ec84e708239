"""The original pictures: found by id, sent as they are where a browser can show them, as JPEG otherwise.

The kind of a file is read from its first bytes, never from its name, and only raster kinds are sent as they
are: an SVG or an HTML file under a picture's name never reaches a browser as such.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import FileResponse

from snapseek.errors import ItemNotFoundError
from snapseek.images import fit_width, open_image, to_jpeg
from snapseek.images.formats import HEAD_BYTES, find_format
from snapseek.server.etags import etag_of
from snapseek.server.problems import problem
from snapseek.sources.archive_uri import file_of, read_member

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from snapseek.library import Library

SHOWN_BY_BROWSERS = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"})

_ONE_RANGE = re.compile(r"bytes=(?:(?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})?|-(?P<tail>[0-9]{1,18}))")


@dataclass(frozen=True)
class Original:
    """One original file as it was found on the disk.

    `media_type` is None if browsers cannot be trusted to show this kind; `width` is the picture's, in pixels.
    A picture that is only a part of the file has its bytes in `data`, and a `variant` of its own.
    """

    path: Path
    facts: os.stat_result
    media_type: str | None
    width: int
    data: bytes | None = None
    variant: str = ""

    def is_sendable(self, max_width: int | None) -> bool:
        """Whether the file can go out as it is, for somebody who wants at most `max_width` pixels across."""
        return self.media_type is not None and (max_width is None or self.width <= max_width)

    def etag(self, max_width: int | None) -> str:
        """The tag of what is sent for `max_width`."""
        if self.is_sendable(max_width):
            return etag_of(self.facts, self.variant)
        return etag_of(self.facts, f"{self.variant}-jpeg{max_width or ''}")


def find_original(library: Library, item_id: int) -> Original:
    """The original of a picture. Raises ItemNotFoundError: no such id, or the file is gone or unreadable."""
    width = library[item_id].width
    packed = library.archive_uri(item_id)
    if packed is not None:
        return _part(packed, item_id, width)
    path = library.original_path(item_id)
    try:
        facts, head = _read_head(path)
    except (FileNotFoundError, NotADirectoryError) as gone:
        raise ItemNotFoundError(
            f"the original of picture {item_id} is no longer at its place; only its preview is left"
        ) from gone
    except OSError as refused:
        reason = f"cannot be opened ({refused.strerror}); only its preview is left"
        raise ItemNotFoundError(f"the original of picture {item_id} {reason}") from refused
    if not stat.S_ISREG(facts.st_mode):
        raise ItemNotFoundError(
            f"the original of picture {item_id} is not a file any more; only its preview is left"
        )
    return Original(path, facts, media_type_of(head), width)


def _part(uri: str, item_id: int, width: int) -> Original:
    """A picture inside an archive or a table."""
    data = read_member(uri)
    path = file_of(uri)
    return Original(path, path.stat(), media_type_of(data[:HEAD_BYTES]), width, data, f"-{item_id:x}")


def media_type_of(head: bytes) -> str | None:
    """The media type of a raster kind that every browser shows, from a file's first bytes; else None."""
    kind = find_format(head)
    return kind.media_type if kind and kind.media_type in SHOWN_BY_BROWSERS else None


def redraw(source: Path | bytes, max_width: int | None) -> bytes:
    """The picture as JPEG, at most `max_width` pixels across, never enlarged. Raises PictureError."""
    # Reading may shrink a JPEG on the way, but leaves its sides larger than `min_side`.
    image = open_image(source, min_side=max_width).image
    return to_jpeg(image if max_width is None else fit_width(image, max_width))


class OriginalFile(FileResponse):
    """A file sent as it is, whole or one range of it.

    A Range header that is malformed or names several ranges is ignored, as RFC 9110 allows; one that begins
    behind the end of the file is answered with a 416 problem.
    """

    def __init__(self, original: Original, headers: dict[str, str]) -> None:
        super().__init__(
            original.path, headers=headers, media_type=original.media_type, stat_result=original.facts
        )
        self.size_bytes = original.facts.st_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, the asked range of it, or the 416."""
        asked = Headers(scope=scope).get("range")
        found = _ONE_RANGE.fullmatch(asked) if asked else None
        if found is None or _is_reversed(found):
            scope = {**scope, "headers": [entry for entry in scope["headers"] if entry[0] != b"range"]}
        elif not _is_satisfiable(found, self.size_bytes):
            detail = f"the range begins behind the end of the file, which has {self.size_bytes} bytes"
            refusal = problem(416, detail, {"content-range": f"bytes */{self.size_bytes}"})
            await refusal(scope, receive, send)
            return
        await super().__call__(scope, receive, send)


def _read_head(path: Path) -> tuple[os.stat_result, bytes]:
    # Non-blocking, so that a named pipe put in a picture's place cannot hold the thread for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        facts = os.fstat(descriptor)
        head = os.read(descriptor, HEAD_BYTES) if stat.S_ISREG(facts.st_mode) else b""
    finally:
        os.close(descriptor)
    return facts, head


def _is_reversed(asked: re.Match[str]) -> bool:
    return asked["last"] is not None and int(asked["last"]) < int(asked["first"])


def _is_satisfiable(asked: re.Match[str], size_bytes: int) -> bool:
    if asked["tail"] is not None:
        return int(asked["tail"]) > 0 and size_bytes > 0
    return int(asked["first"]) < size_bytes
