"""Headers: those that every response has for security, and the entity tags of files.

Only the page's own files may run, load or frame anything. With an entity tag a browser checks whether its
cached copy is current.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}

_POLICY = SECURITY_HEADERS["content-security-policy"]
REMOTE_PICTURE_HEADERS = SECURITY_HEADERS | {
    "content-security-policy": _POLICY.replace("data: blob:", "data: blob: http: https:")
}
"""For a library whose originals are on other servers: the page may also load pictures from there."""


class SecurityHeaders:
    """ASGI middleware: adds headers to every response."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] = SECURITY_HEADERS) -> None:
        self.app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its response."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def etag_of(status: os.stat_result, variant: str = "") -> str:
    """Return a strong tag of a file as it is now; `variant` distinguishes its representations."""
    identity = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
    return '"' + "-".join(f"{number:x}" for number in identity) + variant + '"'


def is_held(headers: Headers, etag: str) -> bool:
    """Return whether the client holds exactly this representation (If-None-Match)."""
    held = headers.get("if-none-match", "")
    return held.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in held.split(",")]
