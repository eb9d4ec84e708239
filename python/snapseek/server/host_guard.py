"""Protection against DNS rebinding: a server on the loopback address accepts only loopback host names.

Any web page that the user has open can reach a server on the loopback address: an attacker points the page's
own host name at 127.0.0.1, and the browser then treats the responses as that page's own. Such a request still
carries the attacker's name in its `Host` header.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from snapseek.server.problems import rejection

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

_AUTHORITY = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\s]+)(:[0-9]{1,5})?")


def host_name(authority: str) -> str | None:
    """Return the name in a `Host` header, in lower case and without its port; None if it is malformed.

    >>> host_name("LocalHost:8000"), host_name("[::1]:8000"), host_name("localhost:80@evil.example")
    ('localhost', '[::1]', None)
    """
    match = _AUTHORITY.fullmatch(authority)
    return match["name"].lower() if match else None


def is_loopback_name(name: str) -> bool:
    """Return whether only this machine reaches a server of that name or address, in brackets or not."""
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name.lower() == "localhost"


class HostGuard:
    """ASGI middleware: rejects requests with another `Host` header (421).

    Parameters
    ----------
    app
        The application to protect.
    allowed_hosts
        Names without a port, IPv6 addresses in brackets; None allows every name.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str] | None) -> None:
        self.app = app
        self.allowed_hosts = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or reject it."""
        if scope["type"] != "http" or self._is_allowed(Headers(scope=scope).get("host", "")):
            await self.app(scope, receive, send)
            return
        name = host_name(Headers(scope=scope).get("host", ""))
        response = rejection(
            421,
            expected=f"one of the host names {', '.join(sorted(self.allowed_hosts or ()))}",
            got=name,
            hint="open the server under one of them; if this is the name of your own proxy, start the server "
            f"with --allow-host {name or 'NAME'}",
        )
        await response(scope, receive, send)

    def _is_allowed(self, authority: str) -> bool:
        return self.allowed_hosts is None or host_name(authority) in self.allowed_hosts
