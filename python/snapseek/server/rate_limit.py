"""The rate limit: a token bucket for each client address."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cachetools import LRUCache
from starlette.datastructures import Headers

from snapseek.server.auth import has_bearer
from snapseek.server.connection import network_of
from snapseek.server.problems import rejection
from snapseek.server.proxy import is_local

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

REQUESTS_PER_SECOND = 50.0
BURST = 200.0
_ROUTER_PATH = "/api/partition"
MAX_CLIENTS = 10_000
"""Bounds the memory of the limiter. Beyond it, the client that has been silent longest is forgotten."""


class RateLimit:
    """ASGI middleware: rejects clients that exceed the rate limit (429).

    This machine is not limited, nor is a router that asks for its clients and has the token.

    Parameters
    ----------
    app
        The application.
    token
        The access token of the server.
    """

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        self.app = app
        self._limiter = RateLimiter()
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or reject it."""
        client = (scope.get("client") or ("unknown", 0))[0]
        is_free = scope["type"] != "http" or is_local(scope) or self._is_router(scope)
        if is_free or self._limiter.admits(network_of(client)):
            await self.app(scope, receive, send)
            return
        response = rejection(
            429,
            {"retry-after": "1"},
            expected=f"at most {REQUESTS_PER_SECOND:.0f} requests a second from one client",
            hint="wait a second",
        )
        await response(scope, receive, send)

    def _is_router(self, scope: Scope) -> bool:
        is_asking = scope["path"] == _ROUTER_PATH and self._token is not None
        return is_asking and has_bearer(Headers(scope=scope), self._token or "")


class RateLimiter:
    """One token bucket for each client.

    Parameters
    ----------
    rate
        Requests a second.
    burst
        Requests at once.
    max_clients
        Clients that are remembered.
    """

    def __init__(
        self, rate: float = REQUESTS_PER_SECOND, burst: float = BURST, max_clients: int = MAX_CLIENTS
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(max_clients)

    def admits(self, client: str, now_s: float | None = None) -> bool:
        """Take one token from the client's bucket. Return whether there was one.

        Parameters
        ----------
        client
            The address of the client.
        now_s
            The time; by default the monotonic clock.
        """
        now = time.monotonic() if now_s is None else now_s
        tokens, filled_s = self._buckets.get(client) or (self._burst, now)
        tokens = min(self._burst, tokens + (now - filled_s) * self._rate)
        is_admitted = tokens >= 1
        self._buckets[client] = (tokens - is_admitted, now)
        return is_admitted
