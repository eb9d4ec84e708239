"""Protection against cross-site requests: only the server's own page and allowed origins may use the API.

Any page that the user has open can send requests to 127.0.0.1, some of them without a CORS preflight. A
browser adds `Origin` or `Sec-Fetch-Site` to them, and the page cannot remove these headers. Programs send
neither header, so they are not affected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from snapseek.server.problems import rejection
from snapseek.server.proxy import was_forwarded

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

_API = ("/api/", "/knn-service", "/metadata", "/indices-list", "/metrics")
_DOCS = "/api/docs"


def is_from_browser(headers: Headers) -> bool:
    """Return whether a browser sent this request, for a web page or from its address bar."""
    return "origin" in headers or "sec-fetch-site" in headers


class OriginGuard:
    """ASGI middleware: rejects requests of other origins with 403."""

    def __init__(self, app: ASGIApp, allowed_origins: Collection[str] = ()) -> None:
        self.app = app
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or reject it."""
        if scope["type"] != "http" or self.admits(scope):
            await self.app(scope, receive, send)
            return
        response = rejection(
            403,
            expected="a request of this server's own page",
            got="one of another web page",
            hint="allow its origin with --allow-origin, or open this server in its own tab",
        )
        await response(scope, receive, send)

    def admits(self, scope: Scope) -> bool:
        """Return whether the sender of this request may use the API."""
        headers = Headers(scope=scope)
        origins = headers.getlist("origin")
        sites = headers.getlist("sec-fetch-site")
        if was_forwarded(scope) and sites == ["same-origin"]:
            return True  # the proxy has replaced Host; the browser has compared the real names
        if origins:
            return all(self._is_trusted(origin, headers) for origin in origins)
        if all(site in ("same-origin", "none") for site in sites):
            return True
        return _is_navigation(scope, headers)

    def _is_trusted(self, origin: str, headers: Headers) -> bool:
        """Return whether an origin is allowed, or is the origin of this server."""
        origin = origin.lower()
        return origin in self._allowed or _authority(origin) == headers.get("host", "").lower()


def is_own_page(scope: Scope) -> bool:
    """Return whether a request comes from this server's own page, or from a program."""
    return OriginGuard(_no_app).admits(scope)


async def _no_app(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise NotImplementedError


def _authority(origin: str) -> str | None:
    """Return the host and the port of an origin; None if it is opaque (`null`) or malformed."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    is_origin = parts.scheme in ("http", "https") and f"{parts.scheme}://{parts.netloc}" == origin
    return parts.netloc if is_origin and parts.netloc else None


def _is_navigation(scope: Scope, headers: Headers) -> bool:
    """Return whether the user follows a link to the page itself, in a tab."""
    path = scope["path"]
    is_page = path == _DOCS or path.startswith(_DOCS + "/") or not path.startswith(_API)
    is_navigation = (
        headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )
    return is_page and is_navigation and scope["method"] in ("GET", "HEAD")
