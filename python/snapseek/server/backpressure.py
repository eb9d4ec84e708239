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
        """Why nothing was sent; the application has already answered and does not learn of it."""

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
