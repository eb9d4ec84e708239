"""The built page: `index.html`, `assets/` and the other files that Vite writes.

The name of a file in assets/ contains a hash of its content, so browsers cache it for a year. Browsers
revalidate all other files on each use, which costs one 304.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from snapseek.server.headers import etag_of, is_held

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable

    from starlette.datastructures import Headers
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

BUILT_PAGE = Path(__file__).with_name("static")

_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")

# Not from the system's own table: the registry of Windows may declare a script as text/plain, and with
# `nosniff` a browser does not run that.
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


_REDIRECTS = {"/docs": "api/docs", "/openapi.json": "api/openapi.json", "/favicon.ico": "favicon.svg"}
"""Relative, so that they hold below a sub-path, too."""


class Page:
    """The files of the built page in a directory."""

    def __init__(self, directory: Path = BUILT_PAGE) -> None:
        self.directory = directory

    def answer(self, name: str, headers: Headers) -> Response:
        """Return one file of the page, or a 304.

        Parameters
        ----------
        name
            The path of the file below the directory, with slashes.
        headers
            The headers of the request.

        Raises
        ------
        HTTPException
            404 if the page has no such file, 503 if the page is not built.
        """
        path = self.directory.joinpath(*name.split("/"))
        file_stat = _regular_file(path) if _is_plain(name) else None
        if file_stat is None:
            raise _not_found(name)
        response_headers = {
            "cache-control": _IMMUTABLE if name.startswith("assets/") else _REVALIDATE,
            "etag": etag_of(file_stat),
        }
        if is_held(headers, response_headers["etag"]):
            return Response(status_code=304, headers=response_headers)
        media_type = _MEDIA_TYPES.get(path.suffix, "application/octet-stream")
        return _WholeFile(path, headers=response_headers, media_type=media_type, stat_result=file_stat)


class PageEndpoints:
    """The addresses of the page's files. They are not part of the API."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def routes(self) -> list[Route]:
        """Return the routes. They match every name, so they come last."""
        return [
            Route("/", self.show_page, include_in_schema=False),
            *(Route(path, _redirect(to), include_in_schema=False) for path, to in _REDIRECTS.items()),
            Route("/{name}", self.show_page, include_in_schema=False),
            Route("/assets/{name:path}", self.show_asset, include_in_schema=False),
        ]

    async def show_page(self, request: Request) -> Response:
        """Return `index.html` or a file next to it. The page itself reads the query parameters."""
        return self._page.answer(request.path_params.get("name", "index.html"), request.headers)

    async def show_asset(self, request: Request) -> Response:
        """Return a script, a style sheet or a font of the page."""
        return self._page.answer("assets/" + request.path_params["name"], request.headers)


def _redirect(target: str) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that leads from an address that people and browsers try to the one that exists."""

    async def redirect(_request: Request) -> Response:
        return RedirectResponse(target, status_code=308)

    return redirect


class _WholeFile(FileResponse):
    """A file that is always sent whole: the `Range` header is ignored, as RFC 9110 allows."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [entry for entry in scope["headers"] if entry[0] not in (b"range", b"if-range")]
        await super().__call__({**scope, "headers": headers}, receive, send)


def _not_found(name: str) -> HTTPException:
    if name == "index.html":
        return HTTPException(
            503,
            "expected the built page, found no index.html in snapseek/server/static; build it with "
            "`npm ci && npm run build` in web/ or install a released wheel; /api works without it",
        )
    return HTTPException(404)


def _is_plain(name: str) -> bool:
    return all(_SEGMENT.fullmatch(segment) for segment in name.split("/"))


def _regular_file(path: Path) -> os.stat_result | None:
    try:
        file_stat = path.stat()
    except OSError:
        return None
    return file_stat if stat.S_ISREG(file_stat.st_mode) else None
