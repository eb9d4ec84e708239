"""A network with an outside and an inside, on loopback: scripted names, a server of each side."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from snapseek import public_address

OUTSIDE, INSIDE = "127.0.0.1", "127.0.0.2"
"""Public and private in these tests. The first one is the address of a server of the test."""

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret"


@dataclass
class Names:
    """A resolver: the addresses of each name, in order, one list for each lookup; the last one stays."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    lookups: list[str] = field(default_factory=list)

    def __call__(self, host, port, *_, **__):
        self.lookups.append(host)
        lists = self.answers.get(host)
        if lists is None:
            return _SYSTEM(host, port, 0, socket.SOCK_STREAM)
        found = lists.pop(0) if len(lists) > 1 else lists[0]
        kinds = {ip: socket.AF_INET6 if ":" in ip else socket.AF_INET for ip in found}
        return [(kind, socket.SOCK_STREAM, 6, "", (ip, port)) for ip, kind in kinds.items()]


_SYSTEM = socket.getaddrinfo


@contextmanager
def inner_server(port: int) -> Iterator[list[bytes]]:
    """Serve the inside on the port of the server outside; yield what it was sent."""
    seen: list[bytes] = []
    with socket.create_server((INSIDE, port)) as server:
        server.settimeout(0.05)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(2)
                    seen.append(connection.recv(4096))
                    connection.sendall(_ANSWER)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            thread.join()


def outside_is_public(patch: pytest.MonkeyPatch, *modules: object) -> None:
    """Treat the address of the server outside as a public one, in the modules that check addresses."""
    plain: Callable[[str], bool] = public_address.is_public
    for module in modules:
        patch.setattr(module, "is_public", lambda address: address == OUTSIDE or plain(address))
