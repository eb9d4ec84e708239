"""A bound of the memory of decoded pictures over all threads of an index."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_MIN_BYTES = 512 << 20
_BYTES_PER_THREAD = 64 << 20


class MemoryBudget:
    """Bytes that several threads share. Thread-safe.

    A thread that needs more than is left waits. One that needs more than the whole budget waits until it is
    alone. A thread may hold one reservation at a time, so that no two wait for each other.

    Parameters
    ----------
    limit
        The bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()

    @classmethod
    def for_threads(cls, threads: int) -> "MemoryBudget":
        """Return a budget with which threads that decode photographs seldom wait."""
        return cls(max(_MIN_BYTES, threads * _BYTES_PER_THREAD))

    @contextmanager
    def reservation(self) -> Iterator["Reservation"]:
        """Return a reservation for one picture, which is freed at the end of the block."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            self._free(reservation.held)

    def _take(self, size: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + size <= self._limit)
            self._used += size

    def _free(self, size: int) -> None:
        with self._changed:
            self._used -= size
            self._changed.notify_all()


class Reservation:
    """What one picture holds of a budget."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self.held = 0

    def take(self, size: int) -> None:
        """Wait until there are `size` bytes, and hold them; once for each reservation."""
        assert self.held == 0
        self._budget._take(size)
        self.held = size
