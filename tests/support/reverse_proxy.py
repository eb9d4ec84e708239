"""A small reverse proxy that shows a server below a path, as nginx or Caddy do."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

_HOP_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "host"})


class ReverseProxy(ThreadingHTTPServer):
    """Passes on requests below `prefix` to a server; answers 404 to all others, and keeps their paths.

    Parameters
    ----------
    upstream
        The address of the server.
    prefix
        The path that the server has at the proxy, with a slash at the end.
    strips
        Whether the proxy removes the prefix from paths.
    keeps_host
        Whether the proxy passes on its own name as `Host`; otherwise only as `X-Forwarded-Host`.
    scheme
        The scheme that the proxy says its clients use.
    """

    daemon_threads = True

    def __init__(
        self, upstream: str, prefix: str, *, strips: bool, keeps_host: bool = False, scheme: str = "http"
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.prefix, self.strips, self.keeps_host, self.scheme = prefix, strips, keeps_host, scheme
        self.strays: list[str] = []
        self.passed: list[str] = []

    @property
    def url(self) -> str:
        """The address of the server at the proxy."""
        return f"http://127.0.0.1:{self.server_port}{self.prefix}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Be silent about clients that leave."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ReverseProxy
    timeout: ClassVar[int] = 60

    def do_GET(self) -> None:
        proxy = self.server
        if not self.path.startswith(proxy.prefix):
            proxy.strays.append(self.path)
            self._answer(404, [], b"")
            return
        proxy.passed.append(self.path)
        path = "/" + self.path.removeprefix(proxy.prefix) if proxy.strips else self.path
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_HEADERS}
        own_name = self.headers["host"]
        headers["Host"] = own_name if proxy.keeps_host else proxy.upstream
        headers["X-Forwarded-For"] = ", ".join(
            [*filter(None, [headers.get("X-Forwarded-For")]), self.client_address[0]]
        )
        headers["X-Forwarded-Host"] = own_name
        headers["X-Forwarded-Proto"] = proxy.scheme
        connection = http.client.HTTPConnection(proxy.upstream, timeout=60)
        try:
            connection.request(self.command, path, body or None, headers)
            answer = connection.getresponse()
            self._answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    do_POST = do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in (*_HOP_HEADERS, "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write no log."""


@contextmanager
def proxied(
    upstream: str, prefix: str = "/pictures/", *, strips: bool, keeps_host: bool = False, scheme: str = "http"
) -> Iterator[ReverseProxy]:
    """Run the proxy in a thread while the block runs."""
    with ReverseProxy(upstream, prefix, strips=strips, keeps_host=keeps_host, scheme=scheme) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join(60)
