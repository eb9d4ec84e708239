"""Limits for fetching: per picture (deadline, retries, size) and per host (connections, pauses)."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_MAX_MISSES = 12
"""Failures in a row after which a host is skipped: a dead host with 1,000 pictures would take a day."""


@dataclass(frozen=True)
class FetchLimits:
    """Connections at a time, and bounds for one picture; `deadline_s` includes retries and pauses."""

    connections: int = 64
    connections_per_host: int = 4
    timeout_s: float = 30.0
    deadline_s: float = 90.0
    attempts: int = 3
    pause_s: float = 1.0
    """Pause before the second attempt; it doubles with each further one."""
    max_bytes: int = 32 << 20
    allow_private: bool = False
    respect_robots: bool = True
    """Whether to skip a picture with the header `X-Robots-Tag: noai` or `noindex`."""


class Deadline:
    """The time that is left for a picture, without the time in the queue."""

    def __init__(self, deadline_s: float) -> None:
        self.left_s = deadline_s

    @asynccontextmanager
    async def spending(self, max_s: float) -> AsyncIterator[None]:
        """Subtract the time of the block. Raises TimeoutError after `max_s`, or at the deadline."""
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(min(max_s, self.left_s)):
                yield
        finally:
            self.left_s -= time.monotonic() - began_s


class HostThrottle:
    """Connections, failures and the pause of one host."""

    def __init__(self, connections: int) -> None:
        self.turns = asyncio.Semaphore(connections)
        self.waiting = 0
        self.misses = 0
        """Attempts in a row that failed because of the host."""
        self._until_s = 0.0

    @property
    def is_given_up(self) -> bool:
        """Whether the host failed so often that it is skipped."""
        return self.misses >= _MAX_MISSES

    def pause(self, wait_s: float) -> None:
        """Send no requests to the host for `wait_s` seconds."""
        self._until_s = max(self._until_s, time.monotonic() + wait_s)

    def is_paused(self) -> bool:
        """Return whether the host is paused."""
        return time.monotonic() < self._until_s

    async def wait_for_pause(self) -> None:
        """Wait until the pause is over."""
        while (left_s := self._until_s - time.monotonic()) > 0:
            await asyncio.sleep(left_s)
