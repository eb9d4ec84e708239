"""`serve`: check the settings, load the model, open the port, and answer requests until Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
import socket
import threading
import webbrowser
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from snapseek.errors import InputError, MissingArgumentError, OutOfRangeError, PartitionError
from snapseek.malloc import bound_malloc
from snapseek.server.app import create_app
from snapseek.server.auth import MIN_TOKEN_CHARACTERS
from snapseek.server.connection import Connection
from snapseek.server.host_guard import LOOPBACK_HOSTS, host_name
from snapseek.server.host_guard import is_loopback_name as is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from starlette.applications import Starlette

    from snapseek.library import Library
    from snapseek.server.jobs import JobRunner
    from snapseek.server.library_servers import LibraryServers

DEFAULT_PORT = 8000
_PORTS_TRIED = 100
_MAX_PORT = 65_535
_BACKLOG = 128
_MAX_OPEN_FILES = 4096  # 1,000 connections, as many that are being closed, the files of a large library
_WARM_UP_QUERIES = ("a photo",)
_SHUTDOWN_S = 5  # for responses in progress at Ctrl-C
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (compared, never bound)

_log = logging.getLogger("snapseek.server")


def serve(
    library: Library,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    open_browser: bool = False,
    on_ready: Callable[[str], None] | None = None,
    token: str | None = None,
    insecure: bool = False,
    allowed_origins: Sequence[str] = (),
    allow_hosts: Sequence[str] = (),
    trusted_proxies: Sequence[str] = (),
    root_path: str = "",
    jobs: JobRunner | None = None,
    servers: LibraryServers | None = None,
) -> None:
    """Serve a library at http://host:port/ until Ctrl-C. This call blocks.

    The port opens after a first search, so that no user waits for the model.

    Parameters
    ----------
    library
        The library to serve.
    host
        The address to listen on. By default only this machine can reach the server. Any other address needs
        `token` or `insecure`.
    port
        The port to listen on; 0 takes a free one. By default 8000, or the next free port after it.
    open_browser
        Open the page in the browser of this machine.
    on_ready
        Called with the url of the page when the server accepts requests.
    token
        The access token that requests must carry: 16 ASCII characters or more, without spaces.
    insecure
        Allow access without a token: anyone who can reach the server can view every picture.
    allowed_origins
        Origins of other web pages that may send requests.
    allow_hosts
        Further names that the server answers to, such as the public name of a reverse proxy.
    trusted_proxies
        Addresses or networks of reverse proxies. Only what these say of the client, its name for the server
        and HTTPS is believed.
    root_path
        The path that the page has at the proxy, such as `/pictures`.
    jobs
        What writes to the library meanwhile. They are stopped when the server stops.
    servers
        What serves the other libraries of this user.

    Raises
    ------
    InputError
        The host, the port or the token cannot be used, or the host needs a token.
    SnapseekError
        The first search failed.
    """
    is_exposed = bool(trusted_proxies) or not all(map(is_loopback, allow_hosts))
    check_access(host, token, insecure=insecure, is_exposed=is_exposed)
    names = allowed_hosts(host, allow_hosts)
    _raise_file_limit()
    bound_malloc()
    warm(library)
    app = create_app(
        library,
        allowed_hosts=names,
        token=token,
        allowed_origins=allowed_origins,
        trusted_proxies=trusted_proxies,
        root_path=root_path,
        jobs=jobs,
        servers=servers,
    )
    with open_free_port(host) if port is None else open_port(host, port) as listener:
        url = url_of(listener)
        if servers is not None:
            servers.address = url

        def on_started() -> None:
            _announce(url, on_ready, open_browser)
            _warm_in_background(library)

        server = _Server(app, on_started)
        on_interrupt = signal.getsignal(signal.SIGINT)
        try:
            freeze_objects()
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            _log.debug("stopped by Ctrl-C before the server had started")
        finally:
            if threading.current_thread() is threading.main_thread() and on_interrupt is not None:
                signal.signal(signal.SIGINT, on_interrupt)


def freeze_objects() -> None:
    """Exclude what is loaded by now from garbage collection, if this program is the server.

    A full collection of these objects takes 40 ms. One in 90 queries over 64 partitions paid for it.
    """
    if threading.current_thread() is threading.main_thread():
        gc.collect()
        gc.freeze()


def _raise_file_limit() -> None:
    """Raise the limit of open files, so that connections alone never reach it."""
    try:
        import resource
    except ImportError:  # on Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(_MAX_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def check_access(host: str, token: str | None, *, insecure: bool = False, is_exposed: bool = False) -> None:
    """Raise InputError for an unusable token, or for a host that other machines reach without one.

    `is_exposed` says that a proxy makes the server reachable on every host.
    """
    if token is not None and (len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or " " in token):
        raise InputError(
            expected=f"a token of at least {MIN_TOKEN_CHARACTERS} ASCII characters without spaces",
            got=f"{len(token)} characters",
            hint="create one with: python -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    if token is None and not insecure and (is_exposed or not is_loopback(host)):
        through = " through the proxy" if is_loopback(host) else ""
        raise MissingArgumentError(
            expected=f"a token, because other machines can reach {host or 'this server'}{through}",
            got="no token",
            hint="set SNAPSEEK_TOKEN or pass --token; with --insecure anyone can view every picture",
        )


def warm(library: Library) -> None:
    """Run one search, so that the model and the vectors are loaded.

    Raises
    ------
    SnapseekError
        The search failed, for another reason than an unknown word.
    """
    query = (library.encoder.examples or _WARM_UP_QUERIES)[0]
    # A model that knows none of these words is loaded all the same, and partitions may start later.
    with suppress(InputError, PartitionError):
        library.search(query, 1)


def _warm_in_background(library: Library) -> None:
    """Read the library into memory while the server answers its first requests."""
    threading.Thread(target=library.warm, name="warm", daemon=True).start()


def allowed_hosts(host: str, more: Sequence[str] = ()) -> frozenset[str] | None:
    """Return the host names that a server on `host` accepts; None for every name.

    `more` are names that the user allows. Without them a server that other machines can reach accepts every
    name. Raises InputError for a malformed one.
    """
    names = frozenset(map(_checked_name, more))
    if not is_loopback(host) and not names:
        _log.warning(
            "other machines can reach %s and view every picture of this library", host or "this server"
        )
        return None
    own = {f"[{host}]" if ":" in host else host.lower()} if host else set()
    return LOOPBACK_HOSTS | names | own


def _checked_name(name: str) -> str:
    """Return a host name in lower case. Raises InputError if it is none, or has a port."""
    bracketed = f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name
    if host_name(bracketed) != bracketed.lower():
        raise InputError(expected="a host name without a port, such as photos.example.org", got=repr(name))
    return bracketed.lower()


def open_port(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    Raises
    ------
    InputError
        The host is unknown, or the port is in use, forbidden or out of range.
    """
    if not 0 <= port <= _MAX_PORT:
        raise OutOfRangeError(expected=f"a port from 0 to {_MAX_PORT}", got=str(port))
    try:
        addresses = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # IPv4 first: a name like localhost has both kinds of address, and more programs try IPv4.
        family, _, _, _, address = min(addresses, key=lambda entry: entry[0] != socket.AF_INET)
        listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        raise _port_error(host, port, error) from error
    # Connections inherit this option. asyncio sets it only on listeners of its own. Without it the second
    # part of a response waits 40 ms for the browser to acknowledge the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def open_free_port(host: str, first: int = DEFAULT_PORT) -> socket.socket:
    """Return a socket that listens on the first free port from `first` on. Raises as `open_port` does."""
    for port in range(first, min(first + _PORTS_TRIED, _MAX_PORT)):
        try:
            return open_port(host, port)
        except InputError as error:
            if getattr(error.__cause__, "errno", None) != errno.EADDRINUSE:
                raise
    return open_port(host, 0)


def url_of(listener: socket.socket) -> str:
    """Return the url of a listening socket, with the loopback address if it listens on all addresses."""
    host, port = listener.getsockname()[:2]
    name = _ANY_ADDRESS.get(host, host)
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


class _Server(uvicorn.Server):
    """uvicorn without its own logging and banners. Calls `on_started` when it accepts requests."""

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
                timeout_graceful_shutdown=_SHUTDOWN_S,
                backlog=_BACKLOG,
            )
        )
        self._on_started = on_started
        logging.getLogger("uvicorn.error").addFilter(_is_not_cancellation)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Shut down on the first signal; ignore later ones, which would interrupt the shutdown."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else handler)
        if signal.SIGTERM in self._captured_signals:
            signal.raise_signal(signal.SIGTERM)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()


def _is_not_cancellation(record: logging.LogRecord) -> bool:
    """Return whether a log record is not about a request that a second Ctrl-C cancelled."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, asyncio.CancelledError)


def _announce(url: str, on_ready: Callable[[str], None] | None, open_browser: bool) -> None:
    if on_ready is not None:
        on_ready(url)
    if open_browser:
        # In a thread: a text browser in the terminal would block the server until it is closed.
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _port_error(host: str, port: int, error: Exception) -> InputError:
    if isinstance(error, socket.gaierror | UnicodeError):
        return InputError(
            expected="a host name or address of this machine",
            got=f"{host!r}, which is unknown",
            hint="use 127.0.0.1 for this machine only",
        )
    reason = getattr(error, "errno", None)
    if reason == errno.EADDRINUSE:
        return InputError(
            f"port {port} of {host} is in use",
            hint="stop the program that uses it, or choose another port (0 takes a free one)",
        )
    if reason in (errno.EACCES, errno.EPERM):
        return InputError(f"this user may not open port {port}", hint="choose one above 1023")
    if reason == errno.EADDRNOTAVAIL:
        return InputError(
            expected="an address of this machine", got=host, hint="use 127.0.0.1 for this machine only"
        )
    return InputError(f"cannot open port {port} of {host}: {error}")
