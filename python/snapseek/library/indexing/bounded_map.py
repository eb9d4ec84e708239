"""Work done in threads somewhat ahead of whoever asks for its results."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def bounded_map(
    pool: ThreadPoolExecutor, work: Callable[[_In], _Out], items: Iterable[_In], most: int
) -> Iterator[_Out]:
    """The results in order, at most `most` of them begun before they are asked for.

    Raises whatever `work` raises. What has not begun when nobody asks any more is never done.
    """
    waiting: deque[Future[_Out]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
