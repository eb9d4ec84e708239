"""One memory limit for all requests in flight: connection buffers, bodies, decoded pictures and answers.

An answer that is handed to the transport as a whole lies in its buffer, once for each client, until the
client has read it. Here the next piece waits until the client has read the one before, and what still waits
is part of the bytes in flight.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from starlette.exceptions import HTTPException

from snapseek.server.problems import problem

if TYPE_CHECKING:
    from types import TracebackType

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES_IN_FLIGHT = 256 * 2**20
"""Ten bodies of the maximum size, with their decoded pictures."""

SMALL_BYTES = 64 * 2**10
RESERVED_BYTES = 64 * 2**20
"""Only requests of at most `SMALL_BYTES` may use the last bytes, so that large bodies cannot block small
requests."""

_RETRY_AFTER_S = 2
PIECE_BYTES = 64 * 2**10
"""As much as the transport buffers before it lets a sender wait."""


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


class Backpressure:
    """ASGI middleware: sends bodies in pieces; 503 where all requests together hold too many bytes."""

    def __init__(self, app: ASGIApp, budget: ByteBudget) -> None:
        self.app = app
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer in pieces."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with self._budget.reserve() as reservation:
            answer = _Answer(send, reservation)
            await self.app(scope, receive, answer.send)
            if (full := answer.refusal) is not None:
                await problem(full.status_code, full.detail, full.headers)(scope, receive, send)


class _Answer:
    """One answer on its way; its head waits for the first part of its body, whose size may be refused."""

    def __init__(self, send: Send, reservation: Reservation) -> None:
        self._send = send
        self._reservation = reservation
        self._head: Message | None = None
        self.refusal: HTTPException | None = None
        """Why nothing was sent; the application does not know it, for it has answered."""

    async def send(self, message: Message) -> None:
        """Send a message of the answer."""
        if message["type"] == "http.response.start":
            self._head = message
            return
        body = message.get("body", b"")
        if self.refusal is not None or (len(body) > PIECE_BYTES and not self._fits(len(body))):
            return
        if self._head is not None:
            head, self._head = self._head, None
            await self._send(head)
        if len(body) <= PIECE_BYTES:
            await self._send(message)
            return
        for start in range(0, len(body), PIECE_BYTES):
            stop = start + PIECE_BYTES
            more = stop < len(body) or message.get("more_body", False)
            await self._send({**message, "body": body[start:stop], "more_body": more})
        self._reservation.resize(0)

    def _fits(self, size: int) -> bool:
        """Reserve the bytes of a body; where its head is sent already, nothing can be refused any more."""
        if self._head is None:
            self._reservation.resize(size)
            return True
        try:
            self._reservation.grow(size)
        except HTTPException as full:
            self.refusal = full
            return False
        return True
