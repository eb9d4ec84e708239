"""Wait until sockets are ready: `poll` where the system has it, which costs less than a selector."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import socket

READ, WRITE = 1, 2
_HAS_POLL = hasattr(select, "poll")

T = TypeVar("T")


class ReadySockets(Generic[T]):
    """Sockets that somebody waits for, each with its owner."""

    def __init__(self) -> None:
        self._owners: dict[int, tuple[socket.socket, T, int]] = {}
        self._poll = select.poll() if _HAS_POLL else None

    def watch(self, waiting: socket.socket, events: int, owner: T) -> None:
        """Wait for a socket to be readable or writable."""
        number = waiting.fileno()
        known = self._owners.get(number)
        if known is not None and known[2] == events and known[0] is waiting:
            return
        self._owners[number] = (waiting, owner, events)
        if self._poll is not None:
            self._poll.register(number, select.POLLIN if events == READ else select.POLLOUT)

    def forget(self, waiting: socket.socket) -> None:
        """Wait no longer for a socket, which is still open."""
        number = waiting.fileno()
        if self._owners.pop(number, None) is not None and self._poll is not None:
            self._poll.unregister(number)

    def wait(self, seconds: float) -> list[T]:
        """Return the owners of sockets that are ready, after at most that time."""
        if self._poll is not None:
            found = self._poll.poll(1000 * seconds)
            return [self._owners[number][1] for number, _ in found if number in self._owners]
        reading = [one for one, _, events in self._owners.values() if events == READ]
        writing = [one for one, _, events in self._owners.values() if events == WRITE]
        ready = select.select(reading, writing, writing, seconds) if reading or writing else ([], [], [])
        numbers = {one.fileno() for part in ready for one in part}
        return [owner for number, (_, owner, _) in self._owners.items() if number in numbers]
