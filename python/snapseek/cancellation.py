"""Cooperative cancellation: a long operation polls whether its result is still wanted.

    with cancelled_when(client_has_left):
        library.search(...)      # raises OperationCancelledError soon after client_has_left() is true

Work that never runs under `cancelled_when` is never cancelled.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_is_cancelled: ContextVar[Callable[[], bool] | None] = ContextVar("is_cancelled", default=None)


class OperationCancelledError(Exception):
    """The result of this work is no longer wanted."""


@contextmanager
def cancelled_when(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Make `check_cancelled` raise in this context once `is_cancelled()` is true."""
    token = _is_cancelled.set(is_cancelled)
    try:
        yield
    finally:
        _is_cancelled.reset(token)


def check_cancelled() -> None:
    """Raise OperationCancelledError if the result of this work is no longer wanted."""
    is_cancelled = _is_cancelled.get()
    if is_cancelled is not None and is_cancelled():
        raise OperationCancelledError
