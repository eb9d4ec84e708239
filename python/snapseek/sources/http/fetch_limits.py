"""How long a picture is waited for, and how a host is treated meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_MISSES = 12
"""After so many a host is left alone: a dead one with a thousand pictures would take a day otherwise."""


@dataclass(frozen=True)
class FetchLimits:
    """How much is asked for at a time, and how long for one picture, retries and waiting included."""

    connections: int = 64
    connections_per_host: int = 4
    timeout_s: float = 30.0
    deadline_s: float = 90.0
    attempts: int = 3
    pause_s: float = 1.0
    """Before the second attempt; twice that before the third."""
    max_bytes: int = 32 << 20
    allow_private: bool = False
    respect_robots: bool = True
    """Whether a picture whose server says `X-Robots-Tag: noai` or `noindex` is left out."""


class Deadline:
    """The time that is left for a picture; waiting for its turn does not count."""

    def __init__(self, deadline_s: float) -> None:
        self.left_s = deadline_s

    @asynccontextmanager
    async def spending(self, at_most_s: float) -> AsyncIterator[None]:
        """Time in this block counts. Raises TimeoutError when it is more than that, or than is left."""
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(min(at_most_s, self.left_s)):
                yield
        finally:
            self.left_s -= time.monotonic() - began_s


class HostThrottle:
    """How many connections a host has now, and until when it wants to be left alone."""

    def __init__(self, connections: int) -> None:
        self.turns = asyncio.Semaphore(connections)
        self.waiting = 0
        self.misses = 0
        """Attempts in a row that failed as if the host were not there or did not want them."""
        self._until_s = 0.0

    @property
    def is_given_up(self) -> bool:
        """Whether the host failed so often that it is left alone."""
        return self.misses >= _MISSES

    def pause(self, wait_s: float) -> None:
        """Leave the host alone for that long."""
        self._until_s = max(self._until_s, time.monotonic() + wait_s)

    def is_paused(self) -> bool:
        """Whether the host is left alone now."""
        return time.monotonic() < self._until_s

    async def rest(self) -> None:
        """Wait until the host may be asked again."""
        while (left_s := self._until_s - time.monotonic()) > 0:
            await asyncio.sleep(left_s)
