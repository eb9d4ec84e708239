"""A rate limit for each client: a token bucket."""

from __future__ import annotations

import time

from snapseek.lru import LruCache
from snapseek.server.auth import _LOOPBACK


class RateLimiter:
    """How often one client may ask: `rate` requests a second, `burst` at once. This machine may always."""

    def __init__(self, rate: float = 50.0, burst: float = 200.0, most_clients: int = 10_000) -> None:
        self._rate = rate
        self._burst = burst
        self._left: LruCache[str, tuple[float, float]] = LruCache(most_clients)

    def admits(self, client: str, now_s: float | None = None) -> bool:
        """Whether this client may ask now; `now_s` is for tests."""
        if client.startswith(_LOOPBACK):
            return True
        now = time.monotonic() if now_s is None else now_s
        left, then = self._left.get(client) or (self._burst, now)
        left = min(self._burst, left + (now - then) * self._rate)
        is_admitted = left >= 1
        self._left.put(client, (left - is_admitted, now))
        return is_admitted
