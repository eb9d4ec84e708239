"""Threads for the work that must not stand in the event loop's way, and the queue before them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

T = TypeVar("T")

MOST_WAITING = 256
_RETRY_AFTER_S = 1


class Workers:
    """At most `count` pieces of work at a time, each in a thread; the others wait in the order they came.

    No more than `most_waiting` of them: who comes then is told to come back later, so that a wait is bounded
    and those who have waited are answered. Who leaves while it waits makes room at once. A cancelled request
    keeps its place until its thread is done, so the bound on memory holds.
    """

    def __init__(self, count: int, most_waiting: int = MOST_WAITING) -> None:
        self.most_waiting = most_waiting
        self.waiting = 0
        self._places = anyio.CapacityLimiter(count)

    async def run(self, request: Request, work: Callable[[], T]) -> T:
        """The result of `work()`, computed in a thread.

        Raises ClientDisconnect, without doing the work, if the client left while it waited for a place;
        HTTPException, 503 with Retry-After, if too many are waiting already.
        """
        async with _Turn(self, self._places, request):
            if await request.is_disconnected():
                raise ClientDisconnect
            # The place taken above is the bound; this limiter only keeps anyio's shared one out of it.
            return await anyio.to_thread.run_sync(work, limiter=anyio.CapacityLimiter(1))


class _Turn:
    """A place among those at work, after waiting for it, if there is room to wait."""

    def __init__(self, workers: Workers, places: anyio.CapacityLimiter, request: Request) -> None:
        self._workers = workers
        self._places = places
        self._request = request

    async def __aenter__(self) -> None:
        with suppress(anyio.WouldBlock):
            self._places.acquire_on_behalf_of_nowait(self)
            return
        workers = self._workers
        if workers.waiting >= workers.most_waiting:
            raise HTTPException(
                503,
                f"{workers.waiting} requests are waiting already; ask again in a moment",
                {"retry-after": str(_RETRY_AFTER_S)},
            )
        workers.waiting += 1
        try:
            await self._wait()
        finally:
            workers.waiting -= 1

    async def _wait(self) -> None:
        """Raises ClientDisconnect as soon as nobody waits for the answer any more."""
        has_place = False
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, group.cancel_scope)
            await self._places.acquire_on_behalf_of(self)
            has_place = True
            group.cancel_scope.cancel()
        if not has_place:
            raise ClientDisconnect

    async def _watch(self, waiting: anyio.CancelScope) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        waiting.cancel()

    async def __aexit__(self, *_: object) -> None:
        self._places.release_on_behalf_of(self)
