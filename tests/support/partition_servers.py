"""Servers of partitions that answer as a test tells them: right, wrongly, late or never."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from snapseek.collection.frames import Frame
from snapseek.collection.partition_state import PartitionState
from snapseek.library import Library

Behaviour = Callable[[Frame, Frame], Frame | bytes | int | None]
"""Returns what is sent for a request and its right answer: a frame, other bytes, a status, or no answer."""


def honest(_request: Frame, answer: Frame) -> Frame:
    """The right answer."""
    return answer


class PartitionServer(ThreadingHTTPServer):
    """Serves a library to routers. `behave` may be changed at any time."""

    daemon_threads = True

    def __init__(self, library: Library, behave: Behaviour = honest) -> None:
        self.library = library
        self.behave = behave
        self.operations: list[str] = []
        self.token: str | None = None
        self.released = threading.Event()
        self.connections: list[socket.socket] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def process_request(self, request, client_address) -> None:
        """Remember the connection, to cut it at the end."""
        self.connections.append(request)
        super().process_request(request, client_address)

    def cut(self) -> None:
        """Close all connections."""
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address) -> None:
        """Routers close connections when another replica was faster."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PartitionServer

    def do_POST(self) -> None:
        request = Frame.decode(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.operations.append(str(request.fields["op"]))
        if self.server.token is not None and self.headers["Authorization"] != f"Bearer {self.server.token}":
            self._send(401, b"{}")
            return
        found = self.server.behave(request, PartitionState(self.server.library.snapshot()).answer(request))
        if found is None:
            self.server.released.wait(30)
            self.close_connection = True
        elif isinstance(found, int):
            self._send(found, b"{}")
        else:
            self._send(200, found.encode() if isinstance(found, Frame) else found)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@contextmanager
def partition_servers(*libraries: Library) -> Iterator[list[PartitionServer]]:
    """Serve libraries until the end of the block."""
    servers = [PartitionServer(library) for library in libraries]
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield servers
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.released.set()
            server.shutdown()
            thread.join()
            server.cut()
            server.server_close()


def only(operation: str, change: Behaviour) -> Behaviour:
    """Answer one operation by `change`, all others right."""
    return lambda request, answer: change(request, answer) if request.fields["op"] == operation else answer


def with_fields(**fields: object) -> Behaviour:
    """Answer with other fields."""
    return lambda _, answer: replace(answer, fields={**answer.fields, **fields})


def with_arrays(**arrays: object) -> Behaviour:
    """Answer with other arrays."""
    return lambda _, answer: replace(answer, arrays={**answer.arrays, **arrays})


def late(seconds: float) -> Behaviour:
    """Answer after that time."""

    def behave(_request: Frame, answer: Frame) -> Frame:
        time.sleep(seconds)
        return answer

    return behave


def times(count: int) -> Behaviour:
    """Repeat the found pictures."""
    return lambda _, answer: replace(
        answer, arrays={name: np.concatenate([array] * count) for name, array in answer.arrays.items()}
    )
