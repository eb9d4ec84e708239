"""The rate limit: a token bucket for each client address."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from snapseek.lru import LruCache
from snapseek.server.connection import network_of
from snapseek.server.problems import rejection
from snapseek.server.proxy import is_local

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

REQUESTS_PER_SECOND = 50.0
BURST = 200.0
MAX_CLIENTS = 10_000
"""Bounds the memory of the limiter. Beyond it, the client that has been silent longest is forgotten."""


class RateLimit:
    """ASGI middleware: rejects clients that exceed the rate limit (429). This machine is not limited."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._limiter = RateLimiter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or reject it."""
        client = (scope.get("client") or ("unknown", 0))[0]
        if scope["type"] != "http" or is_local(scope) or self._limiter.admits(network_of(client)):
            await self.app(scope, receive, send)
            return
        response = rejection(
            429,
            {"retry-after": "1"},
            expected=f"at most {REQUESTS_PER_SECOND:.0f} requests a second from one client",
            hint="wait a second",
        )
        await response(scope, receive, send)


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
        self._buckets: LruCache[str, tuple[float, float]] = LruCache(max_clients)

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
        self._buckets.put(client, (tokens - is_admitted, now))
        return is_admitted
