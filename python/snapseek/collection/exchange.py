"""One HTTP/1.1 exchange on a non-blocking socket, advanced by an event loop.

A router asks dozens of partitions for every query. One thread that sends all requests and then waits for
whichever socket is ready costs some 30 microseconds a partition; a thread or a task for each costs several
times that (docs/decisions/collections.md). What is understood of HTTP is what our own server sends: a status,
a Content-Length and a body of bounded size. Everything else is an error.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from typing import TYPE_CHECKING

from snapseek.collection.frames import MAX_FRAME_BYTES
from snapseek.collection.ready import READ, WRITE
from snapseek.errors import PartitionError

if TYPE_CHECKING:
    from snapseek.collection.replica import Replica

_MAX_HEAD_BYTES = 16 << 10
_CHUNK_BYTES = 1 << 15  # the memory of a larger one is mapped for each call
_IN_PROGRESS = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN}
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r]")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,12})[ \t]*\r\n", re.IGNORECASE)
_CODED = re.compile(rb"\r\n(?:transfer-encoding|content-encoding):", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)


class Exchange:
    """A request to a replica, and what has arrived of its answer.

    Parameters
    ----------
    replica
        The server.
    request
        Head and body.
    """

    def __init__(self, replica: Replica, request: bytes) -> None:
        self.replica = replica
        self.status = 0
        self.socket, self.is_reused = replica.connection()
        self._request = memoryview(request)
        self._sent = 0
        self._received = bytearray()
        self._body_start = 0
        self._length = -1
        self._is_connected = self.is_reused
        self._is_secure = self.is_reused or replica.tls is None
        self._closes = False
        self.events = WRITE

    def advance(self) -> memoryview | None:
        """Do what can be done without waiting. Return the body of a complete answer, else None.

        Raises
        ------
        OSError
            The connection failed.
        PartitionError
            The answer is none of our server.
        """
        try:
            if not self._is_connected:
                self._finish_connecting()
            if not self._is_secure:
                self._shake_hands()
            if self._sent < len(self._request):
                self._send()
                self.events = READ  # an answer takes longer than this
                return None
            return self._receive()
        except ssl.SSLWantWriteError:
            self.events = WRITE
        except (BlockingIOError, ssl.SSLWantReadError):
            is_reading = self._is_connected and (not self._is_secure or self._sent == len(self._request))
            self.events = READ if is_reading else WRITE
        return None

    def finish(self) -> None:
        """Return the connection for later requests, after a complete answer."""
        if self._closes:
            self.abandon()
        else:
            self.replica.put_back(self.socket)

    def abandon(self) -> None:
        """Close the connection."""
        self.socket.close()

    @property
    def has_answer_begun(self) -> bool:
        """Whether a byte of the answer has arrived."""
        return bool(self._received)

    def _finish_connecting(self) -> None:
        error = self.socket.connect_ex(self.replica.address)
        if error in _IN_PROGRESS or error == errno.EALREADY:
            raise BlockingIOError
        if error not in (0, errno.EISCONN):
            raise OSError(error, os.strerror(error))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._is_connected = True
        if self.replica.tls is not None:
            self.socket = self.replica.tls.wrap_socket(
                self.socket, server_hostname=self.replica.host, do_handshake_on_connect=False
            )

    def _shake_hands(self) -> None:
        assert isinstance(self.socket, ssl.SSLSocket)
        self.socket.do_handshake()
        self._is_secure = True

    def _send(self) -> None:
        while self._sent < len(self._request):
            self._sent += self.socket.send(self._request[self._sent :])

    def _receive(self) -> memoryview | None:
        while True:
            data = self.socket.recv(_CHUNK_BYTES)
            if not data:
                raise ConnectionResetError("the connection was closed before the answer was complete")
            self._received += data
            if self._length < 0:
                self._read_head()
            if self._length >= 0:
                missing = self._body_start + self._length - len(self._received)
                if missing < 0:
                    raise PartitionError("more bytes than its answer has")
                if missing == 0:
                    return memoryview(self._received)[self._body_start :]

    def _read_head(self) -> None:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            if len(self._received) > _MAX_HEAD_BYTES:
                raise PartitionError("an answer that is no HTTP")
            return
        head = bytes(self._received[: end + 2])
        status, length = _STATUS.match(head), _LENGTH.search(head)
        if status is None or length is None or _CODED.search(head):
            raise PartitionError("an answer that is none of a snapseek server")
        self.status = int(status[1])
        self._length = int(length[1])
        self._body_start = end + 4
        self._closes = _CLOSES.search(head) is not None
        if self._length > MAX_FRAME_BYTES:
            raise PartitionError(f"an answer of {self._length >> 20} MB")
