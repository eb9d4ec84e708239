"""One HTTP connection with limits: time for a request head, buffered bytes, number of connections.

A connection is closed if no complete head arrives within the deadline. If there are too many connections,
from one address or in all, the one that has been idle longest is closed, so that idle connections cannot lock
out other clients.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from snapseek.server.budget import ByteBudget, Reservation
from snapseek.server.framing import Framing
from snapseek.server.proxy import TrustedProxies

if TYPE_CHECKING:
    import asyncio

HEAD_DEADLINE_S = 15.0
READ_DEADLINE_S = 30.0
"""How long a client may take to read the next 48 KB of its answer."""

MAX_OPEN = 1000
MAX_PER_ADDRESS = 256
_IPV6_PREFIX = 64  # one customer can use all addresses of such a network


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with the limits above."""

    _deadline: asyncio.TimerHandle | None = None
    _is_last_deadline = False
    _read_deadline: asyncio.TimerHandle | None = None
    _last_active_s = 0.0
    _address = ""
    _buffers: Reservation

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = Framing()
        state = getattr(self.config.app, "state", None)
        budget = getattr(state, "budget", None) or ByteBudget()
        self._buffers = budget.reserve()
        self._trusted = getattr(state, "trusted_proxies", None) or TrustedProxies()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first head; close an idle connection if there are too many."""
        super().connection_made(transport)
        self._last_active_s = self.loop.time()
        self._address = network_of(self.client[0] if self.client else "")
        self._start_deadline()
        self._evict_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline and free the buffered bytes."""
        self._cancel_deadline()
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
        """Count the buffered bytes; close the connection if all connections together hold too many."""
        self._last_active_s = self.loop.time()
        super().data_received(data)
        if not self._buffers.resize(self._buffered_bytes()):
            self._close()

    def on_response_complete(self) -> None:
        """Start the deadline of the next head."""
        self._last_active_s = self.loop.time()
        super().on_response_complete()
        self._buffers.resize(0)
        self._start_deadline()

    def send_400_response(self, msg: str) -> None:
        """Reject bytes that are not HTTP; close the connection if a response has started already."""
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # send nothing else for the incomplete request
            cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _buffered_bytes(self) -> int:
        cycle: Any = self.cycle
        body = 0 if cycle is None else len(cycle.body)
        return body + (len(self.conn.trailing_data[0]) if self.flow.read_paused else 0)

    def _evict_idle(self) -> None:
        """Close the connection that has been idle longest if this one exceeds a limit."""
        connections = [peer for peer in self.connections if not peer.transport.is_closing()]
        same_address = [peer for peer in connections if getattr(peer, "_address", None) == self._address]
        if len(same_address) > MAX_PER_ADDRESS and self._address not in self._trusted:
            candidates = same_address
        elif len(connections) > MAX_OPEN:
            candidates = connections
        else:
            return
        idle = [peer for peer in candidates if isinstance(peer, Connection) and peer._waits_for_client()]
        min(idle, key=lambda peer: peer._last_active_s, default=self)._close()

    def _close(self) -> None:
        """Close the connection now: what its client has not read would keep it open for ever."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _waits_for_client(self) -> bool:
        """Return whether the client has to act: send a head, continue a body, or read the response."""
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body or self.flow.write_paused

    def _start_deadline(self) -> None:
        self._cancel_deadline()
        self._is_last_deadline = False
        self._deadline = self.loop.call_later(HEAD_DEADLINE_S, self._close_if_idle)

    def _cancel_deadline(self) -> None:
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
    """Return what counts as one client address: an IPv4 address, or the /64 network of an IPv6 address.

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
