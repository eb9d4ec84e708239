"""Serving: one port is opened when the model is warm, and closed on Ctrl-C when the last answer is out."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import ipaddress
import logging
import signal
import socket
import sys
import threading
import webbrowser
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from snapseek.errors import InputError
from snapseek.server.app import create_app
from snapseek.server.auth import MIN_TOKEN_CHARACTERS
from snapseek.server.connection import Connection
from snapseek.server.host_guard import LOOPBACK_HOSTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from starlette.applications import Starlette

    from snapseek.library import Library

_MAX_PORT = 65_535
_BACKLOG = 128
_M_MMAP_THRESHOLD = -3
_LARGE_BLOCK_BYTES = 4 * 2**20
_FILES = 4096  # 1,000 connections, as many that are being closed, and the files of a large library
_WARMING_WORDS = ("a photo",)
_GRACE_S = 5  # for answers still on their way after Ctrl-C
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (compared, never bound)

_log = logging.getLogger("snapseek.server")


def serve(
    library: Library,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    open_browser: bool = False,
    on_ready: Callable[[str], None] | None = None,
    token: str | None = None,
    insecure: bool = False,
    allowed_origins: Sequence[str] = (),
) -> None:
    """Show `library` at http://host:port/ until Ctrl-C; blocks.

    The first search is done before the port opens, so that no visitor waits for the model. `port` 0 takes a
    free one; `on_ready(url)` is called with the real address once it is answered. Only this machine can reach
    the server unless `host` says otherwise; then a `token` of at least 16 characters is needed, which who
    asks has to know, or `insecure`: whoever reaches it can see every picture. Pages of `allowed_origins` may
    ask from a browser.

    Raises InputError if the host is unknown or the port cannot be had, for a host that others can reach
    without a token, and whatever a search may raise.
    """
    check_access(host, token, insecure=insecure)
    _allow_files()
    _return_large_blocks()
    warm(library)
    app = create_app(library, allowed_hosts=allowed_hosts(host), token=token, allowed_origins=allowed_origins)
    with open_port(host, port) as listener:
        url = address(listener)
        server = _Server(app, lambda: _announce(url, on_ready, open_browser))
        on_interrupt = signal.getsignal(signal.SIGINT)
        try:
            _warm_beside(library)
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            _log.debug("stopped by Ctrl-C before the server had begun")
        finally:
            if threading.current_thread() is threading.main_thread() and on_interrupt is not None:
                signal.signal(signal.SIGINT, on_interrupt)


def _allow_files() -> None:
    """Raise the limit of open files, so that connections alone never reach it."""
    try:
        import resource
    except ImportError:  # on Windows, where there is no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _return_large_blocks() -> None:
    """Have the C library give the memory of large bodies and pictures back to the system when it is freed.

    glibc stops doing so after the first such block, and then keeps hundreds of megabytes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # musl has none
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)


def check_access(host: str, token: str | None, *, insecure: bool = False) -> None:
    """Raises InputError for a server that others can reach without a token, unless that is wanted."""
    if token is not None and (len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or " " in token):
        raise InputError(
            f"expected a token of at least {MIN_TOKEN_CHARACTERS} ASCII characters without spaces, found "
            f"{len(token)}; make one with: python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    if token is None and not insecure and not is_loopback(host):
        raise InputError(
            f"{host or 'this server'} can be reached by others: give a token that they have to know (--token "
            "or SNAPSEEK_TOKEN), or say --insecure to show every picture to whoever reaches it"
        )


def warm(library: Library) -> None:
    """Do one search, so that the model and the vectors are in memory. Raises whatever a search may raise."""
    words = (library.encoder.examples or _WARMING_WORDS)[0]
    with suppress(InputError):  # a model that knows none of these words is loaded all the same
        library.search(words, 1)


def _warm_beside(library: Library) -> None:
    """Read the library into memory while the first visitors are answered already."""
    threading.Thread(target=library.warm, name="warm", daemon=True).start()


def allowed_hosts(host: str) -> frozenset[str] | None:
    """The names that a server bound to `host` answers to; None, every name, if others can reach it."""
    if not is_loopback(host):
        _log.warning(
            "%s can be reached by others: they can see every picture of this library", host or "this server"
        )
        return None
    return LOOPBACK_HOSTS | {f"[{host}]" if ":" in host else host.lower()}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def open_port(host: str, port: int) -> socket.socket:
    """A socket that listens at `host`:`port`. Raises InputError with the reason if it cannot be had."""
    if not 0 <= port <= _MAX_PORT:
        raise InputError(f"expected a port from 0 to {_MAX_PORT}, found {port}")
    try:
        places = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # IPv4 first: a name like localhost stands for both, and more programs look there.
        family, _, _, _, where = min(places, key=lambda place: place[0] != socket.AF_INET)
        listener = socket.create_server(where[:2], family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        raise InputError(_refusal(host, port, error)) from error
    # Connections inherit it. asyncio would set it, but not for a listener made elsewhere, and without it the
    # second part of an answer waits 40 ms for the browser to confirm the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address(listener: socket.socket) -> str:
    """The URL to open for a listening socket; an address that stands for all is given as the loopback."""
    host, port = listener.getsockname()[:2]
    name = _ANY_ADDRESS.get(host, host)
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


class _Server(uvicorn.Server):
    """uvicorn without its own logging and banners, telling when the port is answered."""

    def __init__(self, app: Starlette, on_started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
                backlog=_BACKLOG,
            )
        )
        self._on_started = on_started
        logging.getLogger("uvicorn.error").addFilter(_is_worth_telling)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop in order on the first signal; later ones must not cut off the end of the event loop."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else handler)
        if signal.SIGTERM in self._captured_signals:
            signal.raise_signal(signal.SIGTERM)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Whether a message of uvicorn's is none about a request that a second Ctrl-C cut off."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, asyncio.CancelledError)


def _announce(url: str, on_ready: Callable[[str], None] | None, open_browser: bool) -> None:
    if on_ready is not None:
        on_ready(url)
    if open_browser:
        # In its own thread: a browser in the terminal would hold the server until it is closed.
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _refusal(host: str, port: int, error: Exception) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"the host {host!r} is not known here; 127.0.0.1 is this machine"
    reason = getattr(error, "errno", None)
    if reason == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use; stop the program that has it or choose another (0: a free one)"
        )
    if reason in (errno.EACCES, errno.EPERM):
        return f"port {port} may not be opened by this user; choose one above 1023"
    if reason == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; 127.0.0.1 is"
    return f"port {port} of {host} cannot be opened: {error}"
