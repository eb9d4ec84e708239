"""Threads for the work that must not stand in the event loop's way, and the queue before them."""

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

MOST_WAITING = 256
_RETRY_AFTER_S = 1
_MOST_TOGETHER = 16

_log = logging.getLogger("snapseek.server")


@dataclass(eq=False)
class _WorkItem:
    """A piece of work, what is to be prepared for it, if anything is, and who waits for it."""

    work: Callable[[], Any]
    unprepared: object | None
    future: Future[Any] = field(default_factory=Future)
    abandoned: threading.Event = field(default_factory=threading.Event)

    def do(self) -> None:
        """Work, unless nobody waits any more; work that checks for it stops when nobody does."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            with cancelled_when(self.abandoned.is_set):
                answer = self.work()
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(answer)

    def abandon(self) -> None:
        """Drop it if it still waits; else tell the work that nobody waits for its result."""
        self.abandoned.set()
        self.future.cancel()


class Workers:
    """At most `count` pieces of work at a time, each in a thread; the others wait in the order they came.

    No more than `most_waiting` of them: who comes then is told to come back later, so that a wait is bounded
    and those who have waited are answered. Who leaves while it waits makes room at once. A cancelled request
    keeps its place until its thread is done, so the bound on memory holds. A thread that is done takes the
    next piece itself, without the event loop, which is busy when much is asked.

    `prepare` does for several pieces at once what costs less so. It is called in a thread with what `run` was
    given of up to 16 that wait, before their work, which has to do without where it fails. A piece that waits
    alone is not prepared.
    """

    def __init__(
        self,
        count: int,
        most_waiting: int = MOST_WAITING,
        prepare: Callable[[Sequence[Any]], None] | None = None,
    ) -> None:
        self.most_waiting = most_waiting
        self._count = count
        self._prepare = prepare
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker")
        self._lock = threading.Lock()
        self._queue: deque[_WorkItem] = deque()
        self._taken = 0  # pieces that are at work or wait

    @property
    def waiting(self) -> int:
        """How many pieces of work wait for a thread."""
        return max(0, self._taken - self._count)

    async def run(self, request: Request, work: Callable[[], T], unprepared: object | None = None) -> T:
        """The result of `work()`, computed in a thread; `unprepared` is handed to `prepare` before.

        Raises ClientDisconnect if the client left: work that has not begun is not done, work under way ends
        at its next `check_cancelled`. Raises HTTPException, 503 with Retry-After, if too many are waiting
        already.
        """
        if await request.is_disconnected():
            raise ClientDisconnect
        if self.waiting >= self.most_waiting:
            raise HTTPException(
                503,
                f"{self.waiting} requests are waiting already; ask again in a moment",
                {"retry-after": str(_RETRY_AFTER_S)},
            )
        piece = _WorkItem(work, unprepared if self._prepare else None)
        self._submit(piece)
        answer: asyncio.Future[T] = asyncio.wrap_future(piece.future)
        answer.add_done_callback(_note_retrieved)
        await self._wait(request, piece, answer)
        return await answer

    def _submit(self, piece: _WorkItem) -> None:
        piece.future.add_done_callback(self._release)
        with self._lock:
            self._taken += 1
            self._queue.append(piece)
        self._threads.submit(self._step)

    def _release(self, _: Future[Any]) -> None:
        with self._lock:
            self._taken -= 1

    def _step(self) -> None:
        """Do the piece that has waited longest; nothing where another thread prepares all that wait."""
        while together := self._next():
            first, *rest = together
            if not rest:
                first.do()
                return
            self._prepare_all([piece.unprepared for piece in together])
            with self._lock:
                for piece in together:
                    piece.unprepared = None
                self._queue.extendleft(reversed(together))
            for _ in rest:  # whose own steps may have found nothing meanwhile
                self._threads.submit(self._step)

    def _prepare_all(self, unprepared: Sequence[Any]) -> None:
        try:
            if self._prepare is not None:
                self._prepare(unprepared)
        except Exception:  # each piece meets it again, and tells who asked
            _log.debug("what waits together could not be prepared", exc_info=True)

    def _next(self) -> list[_WorkItem]:
        """The first piece, or the first of those that can be prepared together, out of the queue."""
        with self._lock:
            while self._queue and self._queue[0].future.cancelled():
                self._queue.popleft()
            if not self._queue:
                return []
            if self._queue[0].unprepared is None:
                return [self._queue.popleft()]
            alive = (piece for piece in self._queue if not piece.future.cancelled())
            waiting = [piece for piece in alive if piece.unprepared is not None][:_MOST_TOGETHER]
            for piece in waiting:
                self._queue.remove(piece)
            return waiting

    async def _wait(self, request: Request, piece: _WorkItem, answer: asyncio.Future[T]) -> None:
        """Until it is answered. Raises ClientDisconnect if the client leaves before."""
        leaves = asyncio.ensure_future(_leaves(request))
        ends: set[asyncio.Future[Any]] = {answer, leaves}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            piece.abandon()
            raise
        finally:
            leaves.cancel()
        if not answer.done():
            piece.abandon()
            raise ClientDisconnect


def _note_retrieved(answer: asyncio.Future[Any]) -> None:
    """Keep asyncio from logging the error of work whose client has left."""
    if not answer.cancelled():
        answer.exception()


async def _leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
