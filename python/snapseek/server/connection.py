"""One connection, closed when no whole head of a request comes in time: dripping bytes holds nothing.

And not too many of them: each holds a file of the process and some memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

HEAD_DEADLINE_S = 15.0
MOST_OPEN = 1000


class Connection(H11Protocol):
    """uvicorn's, with a deadline for each request's head: from the opening, or from the last answer, on."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head, unless so many are open that this one has to come back later."""
        super().connection_made(transport)
        if len(self.connections) > MOST_OPEN:
            transport.close()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin to wait for the next head."""
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        self._stop()
        self._deadline = self.loop.call_later(HEAD_DEADLINE_S, self._close_if_idle)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close_if_idle(self) -> None:
        cycle: Any = self.cycle
        if (cycle is None or cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()
