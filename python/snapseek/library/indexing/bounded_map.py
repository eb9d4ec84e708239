"""A lazy map over threads that works ahead by a bounded number of items and of bytes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")


MAX_BYTES_AHEAD = 128 << 20
"""Bounds the encoded pictures in memory, unless one alone has more."""


def bounded_map(
    pool: ThreadPoolExecutor,
    work: Callable[[_In], _Out],
    items: Iterable[_In],
    max_pending: int,
    size_of: Callable[[_In], int] = lambda item: 0,
) -> Iterator[_Out]:
    """Yield the result of `work` for each item, in order.

    Closing the generator cancels the calls that have not begun.

    Parameters
    ----------
    pool
        The threads.
    work
        The function to call; what it raises is raised here.
    items
        Its arguments.
    max_pending
        Bounds how many calls are submitted before their results are consumed.
    size_of
        The bytes of an item. The items of these calls have at most `MAX_BYTES_AHEAD`, or are one.
    """
    pending: deque[tuple[Future[_Out], int]] = deque()
    ahead = 0
    try:
        for item in items:
            size = size_of(item)
            while pending and ahead + size > MAX_BYTES_AHEAD:
                future, freed = pending.popleft()
                yield future.result()
                ahead -= freed
            pending.append((pool.submit(work, item), size))
            ahead += size
            del item  # a large one is freed as soon as its call ends
            if len(pending) >= max_pending:
                future, freed = pending.popleft()
                yield future.result()
                ahead -= freed
        while pending:
            yield pending.popleft()[0].result()
    finally:
        for future, _ in pending:
            future.cancel()


def batched(items: Iterable[_In], size: int) -> Iterator[list[_In]]:
    """Yield the items in lists of `size`; the last one may be shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
