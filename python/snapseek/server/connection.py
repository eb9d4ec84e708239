"""One connection, with bounds of time, of bytes, and of the number of others.

It is closed when no whole head of a request arrives in time. Where too many are open, those of one address or
all together, the one that is silent for the longest time is closed for a new one, so that idle connections
lock nobody out.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from snapseek.server.budget import ByteBudget, Reservation
from snapseek.server.framing import Framing

if TYPE_CHECKING:
    import asyncio

HEAD_DEADLINE_S = 15.0
READ_DEADLINE_S = 30.0
"""How long a client may take to read the next 48 KB of its answer."""

MAX_OPEN = 1000
MAX_PER_ADDRESS = 256
_IPV6_PREFIX = 64  # one customer has that many bits fixed, and all the others free


class Connection(H11Protocol):
    """uvicorn's, with a deadline for each request's head: from the opening, or from the last answer, on."""

    _deadline: asyncio.TimerHandle | None = None
    _is_last_deadline = False
    _read_deadline: asyncio.TimerHandle | None = None
    _heard_s = 0.0
    _address = ""
    _buffers: Reservation

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = Framing()
        state = getattr(self.config.app, "state", None)
        budget = getattr(state, "budget", None) or ByteBudget()
        self._buffers = budget.reserve()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head; close another connection where too many are open."""
        super().connection_made(transport)
        self._heard_s = self.loop.time()
        self._address = network_of(self.client[0] if self.client else "")
        self._wait()
        self._make_space()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop()
        self.resume_writing()
        self._buffers.close()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client, which has some time to read what is buffered."""
        super().pause_writing()
        if self._read_deadline is None:
            self._read_deadline = self.loop.call_later(READ_DEADLINE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on, as the client has read most of what was buffered."""
        super().resume_writing()
        if self._read_deadline is not None:
            self._read_deadline.cancel()
            self._read_deadline = None

    def data_received(self, data: bytes) -> None:
        """Count what is buffered, and close the connection where all together hold too much."""
        self._heard_s = self.loop.time()
        super().data_received(data)
        if not self._buffers.resize(self._buffered_bytes()):
            self._close()

    def on_response_complete(self) -> None:
        """Begin to wait for the next head."""
        self._heard_s = self.loop.time()
        super().on_response_complete()
        self._buffers.resize(0)
        self._wait()

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no HTTP; close the connection where an answer has begun already."""
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # nothing else is sent for the request that broke off
            cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _buffered_bytes(self) -> int:
        cycle: Any = self.cycle
        body = 0 if cycle is None else len(cycle.body)
        return body + (len(self.conn.trailing_data[0]) if self.flow.read_paused else 0)

    def _make_space(self) -> None:
        """Close the connection that is silent for the longest time, where this one is one too many."""
        everyone = [peer for peer in self.connections if not peer.transport.is_closing()]
        neighbours = [peer for peer in everyone if getattr(peer, "_address", None) == self._address]
        if len(neighbours) > MAX_PER_ADDRESS:
            crowd = neighbours
        elif len(everyone) > MAX_OPEN:
            crowd = everyone
        else:
            return
        silent = [peer for peer in crowd if isinstance(peer, Connection) and peer._waits_for_client()]
        min(silent, key=lambda peer: peer._heard_s, default=self)._close()

    def _close(self) -> None:
        """Close the connection now: what its client has not read would keep it open for ever."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _waits_for_client(self) -> bool:
        """Whether the client has to do something: send a head, go on with a body, or read the answer."""
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body or self.flow.write_paused

    def _wait(self) -> None:
        self._stop()
        self._is_last_deadline = False
        self._deadline = self.loop.call_later(HEAD_DEADLINE_S, self._close_if_idle)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close_if_idle(self) -> None:
        cycle: Any = self.cycle
        if (cycle is not None and not cycle.response_complete) or self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() and not self._is_last_deadline:
            self._is_last_deadline = True  # a slow client still reads the end of its answer
            self._deadline = self.loop.call_later(READ_DEADLINE_S, self._close_if_idle)
        else:
            self._close()


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the network of an IPv6 address.

    >>> network_of("127.0.0.1"), network_of("2001:db8::1:2:3:4")
    ('127.0.0.1', '2001:db8::/64')
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4 or ip.is_loopback:
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, _IPV6_PREFIX), strict=False))
