"""One memory limit for all requests in flight: connection buffers, bodies and decoded pictures."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from types import TracebackType

MAX_BYTES_IN_FLIGHT = 256 * 2**20
"""Ten bodies of the maximum size, with their decoded pictures."""

SMALL_BYTES = 64 * 2**10
RESERVED_BYTES = 64 * 2**20
"""Only requests of at most `SMALL_BYTES` may use the last bytes, so that large bodies cannot block small
requests."""

_RETRY_AFTER_S = 2


class ByteBudget:
    """Counts the bytes of all requests in flight. Thread-safe.

    Parameters
    ----------
    limit
        Bytes of all requests together.
    reserved
        Bytes of the limit that only small requests may use.
    """

    def __init__(self, limit: int = MAX_BYTES_IN_FLIGHT, reserved: int = RESERVED_BYTES) -> None:
        self._limit = limit
        self._reserved = reserved
        self._lock = threading.Lock()
        self._used = 0

    @property
    def used(self) -> int:
        """The number of bytes in flight."""
        with self._lock:
            return self._used

    def reserve(self) -> Reservation:
        """Return an empty reservation for one request; close it, or use it as a context manager."""
        return Reservation(self)

    def _take(self, count: int, *, is_small: bool) -> bool:
        with self._lock:
            limit = self._limit if is_small else self._limit - self._reserved
            if self._used + count > limit:
                return False
            self._used += count
            return True

    def _free(self, count: int) -> None:
        with self._lock:
            self._used -= count


class Reservation:
    """The bytes of one request in a `ByteBudget`. Thread-safe.

    A client may leave while a thread still works for it. Once closed, a reservation holds nothing and
    refuses to grow, so that the thread can neither keep bytes for ever nor free them twice.
    """

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._held = 0
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def grow(self, count: int) -> None:
        """Reserve `count` more bytes.

        Raises
        ------
        HTTPException
            503 with Retry-After if they exceed the budget.
        """
        if not self._change(count):
            raise HTTPException(
                503,
                "expected fewer bytes in flight, found as many as the server allows; try again in a moment",
                {"retry-after": str(_RETRY_AFTER_S)},
            )

    def shrink(self, count: int) -> None:
        """Free `count` of the bytes."""
        self._change(-count)

    def resize(self, size: int) -> bool:
        """Hold exactly `size` bytes. Return False, without a change, if they exceed the budget."""
        with self._lock:
            return self._set(size)

    def close(self) -> None:
        """Free all bytes, for good."""
        with self._lock:
            self._set(0)
            self._is_closed = True

    def _change(self, count: int) -> bool:
        with self._lock:
            return self._set(self._held + count)

    def _set(self, size: int) -> bool:
        if self._is_closed:
            return size <= 0
        if size > self._held and not self._budget._take(size - self._held, is_small=size <= SMALL_BYTES):
            return False
        if size < self._held:
            self._budget._free(self._held - size)
        self._held = size
        return True
