"""The built page: `index.html` and the files beside it, as Vite leaves them.

Files under assets/ carry a hash of their content in their names, so a browser may keep them for ever; the
others are asked for again each time, which costs one 304.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from snapseek.server.etags import etag_of, is_held

if TYPE_CHECKING:
    import os

    from starlette.datastructures import Headers
    from starlette.types import Receive, Scope, Send

BUILT_PAGE = Path(__file__).with_name("static")

_KEEP = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")

# Spelt out, because the system's own table (the registry, on Windows) may call a script text/plain, and a
# browser told not to sniff would then refuse to run the page.
_MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".map": "application/json",
    ".txt": "text/plain",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}


class Page:
    """The files of the built page below `directory`."""

    def __init__(self, directory: Path = BUILT_PAGE) -> None:
        self.directory = directory

    def answer(self, name: str, headers: Headers) -> Response:
        """One file of the page, `name` with slashes; `headers` are the request's.

        Raises HTTPException: 404 for a name that is not a file of the page, 503 if the page was not built.
        """
        path = self.directory.joinpath(*name.split("/"))
        facts = _regular_file(path) if _is_plain(name) else None
        if facts is None:
            raise self._absent(name)
        fields = {
            "cache-control": _KEEP if name.startswith("assets/") else _ASK_AGAIN,
            "etag": etag_of(facts),
        }
        if is_held(headers, fields["etag"]):
            return Response(status_code=304, headers=fields)
        media_type = _MEDIA_TYPES.get(path.suffix, "application/octet-stream")
        return _WholeFile(path, headers=fields, media_type=media_type, stat_result=facts)

    def _absent(self, name: str) -> HTTPException:
        if name == "index.html":
            return HTTPException(
                503,
                "the page is not built (no index.html in snapseek/server/static); build it with "
                "`npm ci && npm run build` in web/ or install a released wheel; /api works without it",
            )
        return HTTPException(404)


class _WholeFile(FileResponse):
    """A file of which nobody needs a part: Range, which a server may ignore, is ignored, malformed or not."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kept = [entry for entry in scope["headers"] if entry[0] not in (b"range", b"if-range")]
        await super().__call__({**scope, "headers": kept}, receive, send)


def _is_plain(name: str) -> bool:
    return all(_SEGMENT.fullmatch(segment) for segment in name.split("/"))


def _regular_file(path: Path) -> os.stat_result | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts if stat.S_ISREG(facts.st_mode) else None
