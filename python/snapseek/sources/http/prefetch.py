"""Many pictures fetched at once for somebody who takes them one after the other."""

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

_AHEAD = 4
"""Pictures begun for each connection: those of a host that is busy wait without holding up others."""

_MAX_WAITING_BYTES = 256 << 20
"""No further picture is begun while those that nobody has taken yet are larger than this."""


def fetched(pictures: Iterable[Picture], limits: FetchLimits) -> Iterator[Picture]:
    """The pictures with their bytes, or with a `problem`, in the order in which they arrive.

    `pictures` is read in the caller's thread, only as far as there is something to do.
    """
    left = iter(pictures)
    with _running(limits) as (fetcher, loop):
        arrivals = _Arrivals()
        is_more = True
        while is_more or arrivals.begun:
            while is_more and arrivals.begun < _AHEAD * limits.connections and not arrivals.are_many:
                picture = next(left, None)
                if picture is None:
                    is_more = False
                elif picture.problem is not None or picture.address is None:
                    yield picture
                else:
                    work = _with_bytes(fetcher, picture)
                    arrivals.add(asyncio.run_coroutine_threadsafe(work, loop))
            if arrivals.begun:
                yield arrivals.take()


async def _with_bytes(fetcher: Fetcher, picture: Picture) -> Picture:
    assert picture.address is not None
    try:
        return replace(picture, data=await fetcher.get(picture.address))
    except PictureError as error:
        return replace(picture, problem=str(error))
    except (
        Exception
    ) as error:  # whatever a server makes the client raise: one picture must not stop the others
        return replace(picture, problem=f"the picture cannot be fetched: {first_line(error)}")


class _Arrivals:
    """Pictures under way or waiting to be taken."""

    def __init__(self) -> None:
        self.begun = 0
        self._done: SimpleQueue[Future[Picture]] = SimpleQueue()
        self._lock = threading.Lock()
        self._waiting_bytes = 0

    @property
    def are_many(self) -> bool:
        """Whether those that wait to be taken are large enough together."""
        return self._waiting_bytes > _MAX_WAITING_BYTES

    def add(self, future: Future[Picture]) -> None:
        self.begun += 1
        future.add_done_callback(self._arrive)

    def _arrive(self, future: Future[Picture]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._count(_size(future.result()))
        self._done.put(future)

    def take(self) -> Picture:
        """The next one to arrive."""
        picture = self._done.get().result()
        self.begun -= 1
        self._count(-_size(picture))
        return picture

    def _count(self, size_bytes: int) -> None:
        with self._lock:
            self._waiting_bytes += size_bytes


def _size(picture: Picture) -> int:
    return len(picture.data or b"")


@contextmanager
def _running(limits: FetchLimits) -> Iterator[tuple[Fetcher, asyncio.AbstractEventLoop]]:
    """A fetcher in a loop in a thread of its own; what is under way at the end is dropped."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fetch", daemon=True)
    thread.start()

    async def start() -> Fetcher:
        return await Fetcher(limits).__aenter__()

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
