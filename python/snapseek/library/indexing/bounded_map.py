"""A lazy map over threads that works ahead by a bounded number of items."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def bounded_map(
    pool: ThreadPoolExecutor, work: Callable[[_In], _Out], items: Iterable[_In], max_pending: int
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
    """
    pending: deque[Future[_Out]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= max_pending:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def batched(items: Iterable[_In], size: int) -> Iterator[list[_In]]:
    """Yield the items in lists of `size`; the last one may be shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
