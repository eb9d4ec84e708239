"""Threads for the work that must not stand in the event loop's way, and the queue before them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from starlette.requests import Request

T = TypeVar("T")

MOST_WAITING = 256
_RETRY_AFTER_S = 1


class Workers:
    """At most `count` pieces of work at a time, each in a thread; the others wait in the order they came.

    No more than `most_waiting` of them: who comes then is told to come back later, so that a wait is bounded
    and those who have waited are answered. Who leaves while it waits makes room at once. A cancelled request
    keeps its place until its thread is done, so the bound on memory holds. A thread that is done takes the
    next piece itself, without the event loop, which is busy when much is asked.
    """

    def __init__(self, count: int, most_waiting: int = MOST_WAITING) -> None:
        self.most_waiting = most_waiting
        self._count = count
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker")
        self._lock = threading.Lock()
        self._taken = 0  # pieces that are at work or wait

    @property
    def waiting(self) -> int:
        """How many pieces of work wait for a thread."""
        return max(0, self._taken - self._count)

    async def run(self, request: Request, work: Callable[[], T]) -> T:
        """The result of `work()`, computed in a thread.

        Raises ClientDisconnect, without doing the work, if the client left while it waited for a thread;
        HTTPException, 503 with Retry-After, if too many are waiting already.
        """
        if await request.is_disconnected():
            raise ClientDisconnect
        if self.waiting >= self.most_waiting:
            raise HTTPException(
                503,
                f"{self.waiting} requests are waiting already; ask again in a moment",
                {"retry-after": str(_RETRY_AFTER_S)},
            )
        has_to_wait, future = self._submit(work)
        answer = asyncio.wrap_future(future)
        if has_to_wait:
            await self._wait(request, future, answer)
        return await answer

    def _submit(self, work: Callable[[], T]) -> tuple[bool, Future[T]]:
        with self._lock:
            self._taken += 1
            has_to_wait = self._taken > self._count
        future = self._threads.submit(work)
        future.add_done_callback(self._release)
        return has_to_wait, future

    def _release(self, _: Future[T]) -> None:
        with self._lock:
            self._taken -= 1

    async def _wait(self, request: Request, future: Future[T], answer: asyncio.Future[T]) -> None:
        """Until it is answered. Raises ClientDisconnect if the client leaves before a thread has begun."""
        leaves = asyncio.ensure_future(_leaves(request))
        ends: set[asyncio.Future[Any]] = {answer, leaves}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            future.cancel()
            raise
        finally:
            leaves.cancel()
        if not answer.done() and future.cancel():
            raise ClientDisconnect


async def _leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
