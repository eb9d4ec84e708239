"""A thread pool with a bounded queue, for work that would block the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from snapseek.cancellation import cancelled_when

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

T = TypeVar("T")

MAX_WAITING = 256
_RETRY_AFTER_S = 1
_MAX_BATCH = 16

_log = logging.getLogger("snapseek.server")


@dataclass(eq=False)
class _WorkItem:
    """One call that waits for a thread, the argument of its preparation, and its result."""

    work: Callable[[], Any]
    unprepared: object | None
    future: Future[Any] = field(default_factory=Future)
    abandoned: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Run the work, unless it was abandoned. Running work stops at its next `check_cancelled`."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            with cancelled_when(self.abandoned.is_set):
                result = self.work()
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

    def abandon(self) -> None:
        """Drop the work if it still waits; otherwise signal it to stop."""
        self.abandoned.set()
        self.future.cancel()


class Workers:
    """Runs at most `count` calls at a time, each in a thread. The others wait in a first-in, first-out queue.

    The queue is bounded, and so is the waiting time: a call beyond the bound is rejected with a 503. If a
    client disconnects while its call waits, the call leaves the queue at once. If it disconnects later, its
    thread counts as busy until the call ends, so that the memory stays bounded. A thread that ends a call
    takes the next one itself, without the event loop, which is busy under load.

    Parameters
    ----------
    count
        Number of threads.
    max_waiting
        Number of calls that may wait.
    prepare
        Prepares up to 16 waiting calls together, where that is cheaper than one by one, such as embedding
        texts in one batch. It is called in a thread, with the `unprepared` arguments of the calls, before
        they run. If it fails, each call has to work without it. A call that waits alone is not prepared.
    """

    def __init__(
        self,
        count: int,
        max_waiting: int = MAX_WAITING,
        prepare: Callable[[Sequence[Any]], None] | None = None,
    ) -> None:
        self.max_waiting = max_waiting
        self._count = count
        self._prepare = prepare
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker")
        self._lock = threading.Lock()
        self._queue: deque[_WorkItem] = deque()
        self._in_progress = 0  # calls that run or wait

    @property
    def waiting(self) -> int:
        """The number of calls that wait for a thread."""
        return max(0, self._in_progress - self._count)

    async def run(self, request: Request, work: Callable[[], T], unprepared: object | None = None) -> T:
        """Return the result of `work()`, computed in a thread.

        Parameters
        ----------
        request
            The request that needs the result.
        work
            The call.
        unprepared
            The argument that `prepare` gets for this call; None if it needs no preparation.

        Raises
        ------
        ClientDisconnect
            The client has disconnected. Waiting work is dropped; running work ends at its next
            `check_cancelled`.
        HTTPException
            503 with Retry-After: too many calls are waiting.
        """
        if await request.is_disconnected():
            raise ClientDisconnect
        if self.waiting >= self.max_waiting:
            raise HTTPException(
                503,
                f"expected fewer than {self.max_waiting} waiting requests, found {self.waiting}; "
                "try again in a moment",
                {"retry-after": str(_RETRY_AFTER_S)},
            )
        item = _WorkItem(work, unprepared if self._prepare else None)
        self._submit(item)
        result: asyncio.Future[T] = asyncio.wrap_future(item.future)
        result.add_done_callback(_retrieve_error)
        await self._wait(request, item, result)
        return await result

    def _submit(self, item: _WorkItem) -> None:
        item.future.add_done_callback(self._release)
        with self._lock:
            self._in_progress += 1
            self._queue.append(item)
        self._threads.submit(self._step)

    def _release(self, _: Future[Any]) -> None:
        with self._lock:
            self._in_progress -= 1

    def _step(self) -> None:
        """Run the call that has waited longest; do nothing if another thread prepares all waiting calls."""
        while batch := self._next():
            first, *others = batch
            if not others:
                first.run()
                return
            self._prepare_all([item.unprepared for item in batch])
            with self._lock:
                for item in batch:
                    item.unprepared = None
                self._queue.extendleft(reversed(batch))
            for _ in others:  # their own steps may have found an empty queue meanwhile
                self._threads.submit(self._step)

    def _prepare_all(self, unprepared: Sequence[Any]) -> None:
        try:
            if self._prepare is not None:
                self._prepare(unprepared)
        except Exception:  # each call meets the error again and reports it to its own client
            _log.debug("a batch of waiting calls could not be prepared", exc_info=True)

    def _next(self) -> list[_WorkItem]:
        """Take the first item from the queue, or the first batch that can be prepared together."""
        with self._lock:
            while self._queue and self._queue[0].future.cancelled():
                self._queue.popleft()
            if not self._queue:
                return []
            if self._queue[0].unprepared is None:
                return [self._queue.popleft()]
            alive = (item for item in self._queue if not item.future.cancelled())
            waiting = [item for item in alive if item.unprepared is not None][:_MAX_BATCH]
            for item in waiting:
                self._queue.remove(item)
            return waiting

    async def _wait(self, request: Request, item: _WorkItem, result: asyncio.Future[T]) -> None:
        """Wait until the work is done. Raise ClientDisconnect if the client disconnects before."""
        disconnect = asyncio.ensure_future(_disconnected(request))
        pending: set[asyncio.Future[Any]] = {result, disconnect}
        try:
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            item.abandon()
            raise
        finally:
            disconnect.cancel()
        if not result.done():
            item.abandon()
            raise ClientDisconnect


def _retrieve_error(result: asyncio.Future[Any]) -> None:
    """Keep asyncio from logging the error of work whose client has disconnected."""
    if not result.cancelled():
        result.exception()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
