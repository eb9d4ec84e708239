"""The guard at the door: who may ask, and the security headers of every answer.

A server on the loopback address can be reached by any web page the user has open: the page's own host name is
pointed at 127.0.0.1 (DNS rebinding), and the browser takes the answers for its own. Such a request still
carries that host name in its Host header, so only the names of the loopback itself are let in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from snapseek.server.headers import SECURITY_HEADERS
from snapseek.server.problems import problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

_AUTHORITY = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\s]+)(:[0-9]{1,5})?")


def host_name(authority: str) -> str | None:
    """The name in a Host header, in lower case and without its port; None if the header is malformed.

    >>> host_name("LocalHost:8000"), host_name("[::1]:8000"), host_name("localhost:80@evil.example")
    ('localhost', '[::1]', None)
    """
    found = _AUTHORITY.fullmatch(authority)
    return found["name"].lower() if found else None


class HostGuard:
    """ASGI middleware: refuses foreign Host headers with 421, and puts security headers on every answer.

    `allowed_hosts`: names without a port, IPv6 in brackets; None lets every name in.
    """

    def __init__(
        self,
        app: ASGIApp,
        allowed_hosts: Collection[str] | None,
        headers: Mapping[str, str] = SECURITY_HEADERS,
    ) -> None:
        self.app = app
        self.allowed_hosts = allowed_hosts
        self.headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        app = self.app if self.admits(scope) else self._refusal()
        await app(scope, receive, _with_headers(send, self.headers))

    def admits(self, scope: Scope) -> bool:
        """Whether this request was meant for this server."""
        if self.allowed_hosts is None:
            return True
        return host_name(Headers(scope=scope).get("host", "")) in self.allowed_hosts

    def _refusal(self) -> Response:
        names = ", ".join(sorted(self.allowed_hosts or ()))
        return problem(421, f"this server answers only as {names}; open it under one of these names")


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return send_guarded
