"""The page before the first picture: what the job does, such as the download of a model.

A library can be served from its first commit on. Until then this small server answers on the port of the
later one: with a page that shows the job and loads itself again as soon as the library is served, and with
`/api/jobs`.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

from snapseek.server.headers import SECURITY_HEADERS
from snapseek.server.host_guard import LOOPBACK_HOSTS, host_name
from snapseek.server.run import open_free_port, open_port, url_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from snapseek.server.jobs import JobRunner

_SECONDS_PER_REQUEST = 10.0
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>snapseek</title>
<h1>snapseek</h1>
<p role="status" id="job">Starting</p>
<progress id="bar" max="1"></progress>
<p>The pictures appear here as soon as the first are indexed.</p>
<script src="waiting.js"></script>
</html>
"""
_SCRIPT = """const line = document.getElementById("job");
const bar = document.getElementById("bar");
async function look() {
  try {
    if ((await fetch("api/info")).ok) {
      location.reload();
      return;
    }
    const { jobs } = await (await fetch("api/jobs")).json();
    const job = jobs.at(-1);
    if (job) {
      line.textContent = job.summary;
      if (job.total) bar.value = job.done / job.total;
      else bar.removeAttribute("value");
    }
  } catch {
    // between two servers, or after the last one
  }
  setTimeout(look, 500);
}
look();
"""


@contextmanager
def waiting_page(host: str, port: int | None, jobs: JobRunner) -> Iterator[tuple[str, int]]:
    """Serve the page on a loopback host until the block ends; yield its url and its port.

    Raises InputError if the port cannot be opened.
    """
    with open_free_port(host) if port is None else open_port(host, port) as listener:
        server = _Server(listener, jobs)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield url_of(listener), int(listener.getsockname()[1])
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    """An HTTP server on a socket that listens already."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, jobs: JobRunner) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.jobs = jobs


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout: ClassVar[float] = _SECONDS_PER_REQUEST

    def do_GET(self) -> None:
        """Answer with the page, its script or the jobs; 503 for what the library will answer."""
        if host_name(self.headers.get("host", "")) not in LOOPBACK_HOSTS:
            self._send(421, "text/plain", "expected the host name localhost, 127.0.0.1 or [::1]")
            return
        match self.path.partition("?")[0]:
            case "/":
                self._send(200, "text/html; charset=utf-8", _PAGE)
            case "/waiting.js":
                self._send(200, "text/javascript; charset=utf-8", _SCRIPT)
            case "/api/jobs":
                jobs = [asdict(job) | {"summary": job.summary} for job in self.server.jobs.jobs()]
                self._send(200, "application/json", json.dumps({"jobs": jobs, "version": "", "count": 0}))
            case _:
                self._send(503, "text/plain", "the library has no picture yet", {"retry-after": "1"})

    def _send(self, status: int, kind: str, text: str, headers: dict[str, str] | None = None) -> None:
        content = text.encode()
        self.send_response(status)
        fixed = {"content-type": kind, "content-length": str(len(content)), "cache-control": "no-store"}
        for name, value in (SECURITY_HEADERS | fixed | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Write nothing."""
