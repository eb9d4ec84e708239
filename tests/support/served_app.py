"""An application of the server on a real port, in a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette

from snapseek.server.run import _Server, open_port, url_of


@contextmanager
def served_app(app: Starlette) -> Iterator[str]:
    """Yield the address of the application, without a slash at its end."""
    started = threading.Event()
    with open_port("127.0.0.1", 0) as listener:
        server = _Server(app, started.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert started.wait(30)
            yield url_of(listener).rstrip("/")
        finally:
            server.should_exit = True
            thread.join()
