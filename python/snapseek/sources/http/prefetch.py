"""Fetch many pictures concurrently for a synchronous caller, who takes one at a time."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from queue import SimpleQueue

from snapseek.errors import PictureError
from snapseek.sources.http.fetch import Fetcher
from snapseek.sources.http.fetch_limits import FetchLimits
from snapseek.sources.picture import Picture
from snapseek.sources.row_reader import first_line

_PREFETCH_PER_CONNECTION = 4
"""Pictures in flight per connection, so that those of a busy host do not delay others."""

_MAX_WAITING_BYTES = 256 << 20
"""No download starts, or grows large, while the fetched pictures in the queue are larger than this."""

_POLL_S = 0.02


def fetch_all(pictures: Iterable[Picture], limits: FetchLimits) -> Iterator[Picture]:
    """Yield the pictures with their bytes or a `problem`, in the order of arrival.

    `pictures` is consumed lazily in the caller's thread.
    """
    remaining = iter(pictures)
    queue = _Queue()
    with _running(limits, queue) as (fetcher, loop):
        is_more = True
        while is_more or queue.in_flight:
            while (
                is_more
                and queue.in_flight < _PREFETCH_PER_CONNECTION * limits.connections
                and not queue.is_full
            ):
                picture = next(remaining, None)
                if picture is None:
                    is_more = False
                elif picture.problem is not None or picture.address is None:
                    yield picture
                else:
                    work = _with_bytes(fetcher, picture)
                    queue.add(asyncio.run_coroutine_threadsafe(work, loop))
            if queue.in_flight:
                yield queue.take()


async def _with_bytes(fetcher: Fetcher, picture: Picture) -> Picture:
    assert picture.address is not None
    try:
        return replace(picture, data=await fetcher.get(picture.address))
    except PictureError as error:
        return replace(picture, problem=str(error))
    except Exception as error:  # a server may make the client raise anything
        return replace(picture, problem=f"the picture cannot be fetched: {first_line(error)}")


class _Queue:
    """Pictures in flight, and fetched pictures that the caller has not taken yet."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._done: SimpleQueue[Future[Picture]] = SimpleQueue()
        self._lock = threading.Lock()
        self._waiting_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether the fetched pictures take too much memory."""
        return self._waiting_bytes > _MAX_WAITING_BYTES

    async def wait_for_space(self) -> None:
        """Wait until the fetched pictures take less memory."""
        while self.is_full:
            await asyncio.sleep(_POLL_S)

    def add(self, future: Future[Picture]) -> None:
        self.in_flight += 1
        future.add_done_callback(self._arrive)

    def _arrive(self, future: Future[Picture]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._count(_size(future.result()))
        self._done.put(future)

    def take(self) -> Picture:
        """Return the next picture to arrive."""
        picture = self._done.get().result()
        self.in_flight -= 1
        self._count(-_size(picture))
        return picture

    def _count(self, size_bytes: int) -> None:
        with self._lock:
            self._waiting_bytes += size_bytes


def _size(picture: Picture) -> int:
    return len(picture.data or b"")


@contextmanager
def _running(limits: FetchLimits, queue: _Queue) -> Iterator[tuple[Fetcher, asyncio.AbstractEventLoop]]:
    """Run a fetcher on an event loop in a thread; downloads in flight are cancelled at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fetch", daemon=True)
    thread.start()

    async def start() -> Fetcher:
        return await Fetcher(limits, queue.wait_for_space).__aenter__()

    async def stop(fetcher: Fetcher) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await fetcher.__aexit__()

    try:
        fetcher = asyncio.run_coroutine_threadsafe(start(), loop).result()
        try:
            yield fetcher, loop
        finally:
            asyncio.run_coroutine_threadsafe(stop(fetcher), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
