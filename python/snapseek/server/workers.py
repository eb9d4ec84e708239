"""Threads for the work that must not stand in the event loop's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

T = TypeVar("T")


class Workers:
    """At most `count` pieces of work at a time, each in a thread; the others wait in the order they came.

    A cancelled request keeps its place until its thread is done, so the bound on memory holds.
    """

    def __init__(self, count: int) -> None:
        self._places = anyio.CapacityLimiter(count)

    async def run(self, request: Request, work: Callable[[], T]) -> T:
        """The result of `work()`, computed in a thread.

        Raises ClientDisconnect, without doing the work, if the client left while it waited for a place.
        """
        async with self._places:
            if await request.is_disconnected():
                raise ClientDisconnect
            # The place taken above is the bound; this limiter only keeps anyio's shared one out of it.
            return await anyio.to_thread.run_sync(work, limiter=anyio.CapacityLimiter(1))
