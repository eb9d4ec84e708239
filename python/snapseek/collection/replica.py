"""A server that answers for a partition: its address, its idle connections, and its circuit breaker."""

from __future__ import annotations

import socket
import ssl
import threading
import time
import weakref
from typing import Any
from urllib.parse import urlsplit

from snapseek.collection.frames import MEDIA_TYPE

_MAX_IDLE = 32
_MAX_FAILURES = 3
"""Consecutive failures after which a replica is left alone for a while."""

_MIN_PAUSE_S, _MAX_PAUSE_S = 1.0, 15.0


class Replica:
    """A replica with a circuit breaker. Safe to use from many threads.

    After three failures in a row it is not queried for a second, then one request tries it; each further
    failure doubles the pause, up to 15 seconds. A success closes the breaker.

    Parameters
    ----------
    location
        The address, such as `http://10.0.0.5:8000`.
    token
        Its access token; None if it has none.
    """

    def __init__(self, location: str, token: str | None = None) -> None:
        parts = urlsplit(location)
        self.location = location
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.path = parts.path.rstrip("/")
        self.tls = ssl.create_default_context() if parts.scheme == "https" else None
        self.address: Any = None
        """What `connect` takes; None until the name is resolved."""
        self._family = socket.AF_INET
        name = f"[{self.host}]" if ":" in self.host else self.host
        bearer = "" if token is None else f"Authorization: Bearer {token}\r\n"
        self._lines = f"Host: {name}:{self.port}\r\n{bearer}Content-Type: {MEDIA_TYPE}\r\nContent-Length: "
        self._lock = threading.Lock()
        self._idle: list[socket.socket] = []
        weakref.finalize(self, _close_all, self._idle)
        self.is_slow = False
        """Whether its last failure cost a deadline; others cost next to nothing."""
        self._failures = 0
        self._open_until_s = 0.0
        self._pause_s = _MIN_PAUSE_S

    def resolve(self) -> None:
        """Look up the address of the name. Never in a query, because it may wait. Raises OSError."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        self._family, self.address = found[0][0], found[0][4]

    def head(self, length: int, version: str | None) -> bytes:
        """Return the head of a request to the partition endpoint, for the state of a version."""
        state = "" if version is None else f"?v={version}"
        return f"POST {self.path}/api/partition{state} HTTP/1.1\r\n{self._lines}{length}\r\n\r\n".encode()

    def get_head(self, path: str) -> bytes:
        """Return the head of a request for a path."""
        return f"GET {self.path}{path} HTTP/1.1\r\n{self._lines}0\r\n\r\n".encode()

    def connection(self) -> tuple[socket.socket, bool]:
        """Return a socket and whether it is connected already. Raises OSError."""
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        if self.address is None:
            raise OSError("its name is not resolved")
        created = socket.socket(self._family, socket.SOCK_STREAM)
        created.setblocking(False)
        return created, False

    def put_back(self, connected: socket.socket) -> None:
        """Keep a connection for later requests."""
        with self._lock:
            if len(self._idle) < _MAX_IDLE:
                self._idle.append(connected)
                return
        connected.close()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            _close_all(self._idle)

    def admits(self) -> bool:
        """Return whether a request may be sent now; while the breaker is open, one after each pause."""
        if self._failures < _MAX_FAILURES:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._open_until_s:
                return False
            self._open_until_s = now + self._pause_s  # for all but this request
            return True

    def succeeded(self) -> None:
        """Close the breaker."""
        if self._failures:
            with self._lock:
                self._failures, self._pause_s = 0, _MIN_PAUSE_S

    def failed(self, *, was_slow: bool = False) -> None:
        """Count a failure; after several in a row, open the breaker. `was_slow`: it cost a deadline."""
        with self._lock:
            self._failures += 1
            self.is_slow = was_slow
            if self._failures >= _MAX_FAILURES:
                self._open_until_s = time.monotonic() + self._pause_s
                self._pause_s = min(_MAX_PAUSE_S, 2 * self._pause_s)


def _close_all(connections: list[socket.socket]) -> None:
    while connections:
        connections.pop().close()
