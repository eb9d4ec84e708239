"""Large answers: sent piece by piece as the client reads them, and counted until they are sent.

A body that is handed to the transport as a whole lies in its buffer, once for each client, until the client
has read it. Here the next piece waits until the client has read the one before, and what still waits is
part of the bytes in flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from snapseek.server.problems import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from snapseek.server.budget import ByteBudget, Reservation

PIECE_BYTES = 64 * 2**10
"""As much as the transport buffers before it lets a sender wait."""


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
            try:
                await self.app(scope, receive, answer.send)
            except _TooManyBytesError as full:
                await problem(full.status_code, full.detail, full.headers)(scope, receive, send)


class _TooManyBytesError(HTTPException):
    """Raised instead of the begin of an answer that does not fit."""


class _Answer:
    """One answer on its way; its head waits for the first part of its body, whose size may be refused."""

    def __init__(self, send: Send, reservation: Reservation) -> None:
        self._send = send
        self._reservation = reservation
        self._head: Message | None = None

    async def send(self, message: Message) -> None:
        """Send a message of the answer."""
        if message["type"] == "http.response.start":
            self._head = message
            return
        body = message.get("body", b"")
        if len(body) > PIECE_BYTES:
            self._reserve(len(body))
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

    def _reserve(self, size: int) -> None:
        if self._head is None:  # its begin is sent: nothing can be refused any more
            self._reservation.resize(size)
            return
        try:
            self._reservation.grow(size)
        except HTTPException as full:
            raise _TooManyBytesError(full.status_code, full.detail, full.headers) from full
