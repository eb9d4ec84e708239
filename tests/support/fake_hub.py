"""A hub on loopback: the responses that the client of huggingface.co needs, and injected faults."""

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_LARGE = 300  # larger files are kept apart on the hub, and only those have a sha256 in the listing


class FakeHub:
    """`files[repo][path]` is what it serves. `faults[path]` is a queue of faults, one for each request of
    that content: `(status,)`, or the number of bytes after which the connection breaks. While `gate` is
    cleared, no content is sent.
    """

    def __init__(self):
        self.files = {}
        self.faults = {}
        self.listing_status = 200
        self.redirects = False
        self.gate = threading.Event()
        self.gate.set()
        self.requests = []
        self.url = ""

    def add(self, repo, folder: Path):
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        self.files[repo] = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    def fetched(self):
        """Return the files whose content was requested, in order."""
        return [path for method, path, _ in self.requests if method == "GET" and not path.startswith("api:")]

    @contextmanager
    def served(self):
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.hub = self
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            self.gate.set()
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def _answer(self):
        path = urlsplit(self.path).path
        if found := re.fullmatch(r"/api/models/(.+)/revision/(.+)", path):
            return self._list(found[1], found[2])
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._resolve(found[1], found[2], found[3], moved=self.server.hub.redirects)
        if found := re.fullmatch(r"/elsewhere/([^/]+/[^/]+)/(.+)", path):
            return self._resolve(found[1], COMMIT, found[2], moved=False)
        return self._refuse(404, "EntryNotFound")

    def _list(self, repo, revision):
        self.server.hub.requests.append((self.command, f"api:{repo}", None))
        if self.server.hub.listing_status != 200:
            return self._refuse(self.server.hub.listing_status)
        if repo not in self.server.hub.files or revision not in ("main", COMMIT):
            return self._refuse(
                404, "RepoNotFound" if repo not in self.server.hub.files else "RevisionNotFound"
            )
        siblings = [_sibling(path, content) for path, content in self.server.hub.files[repo].items()]
        return self._send(json.dumps({"id": repo, "sha": COMMIT, "siblings": siblings}).encode())

    def _resolve(self, repo, revision, path, *, moved):
        content = self.server.hub.files.get(repo, {}).get(path)
        if content is None or revision not in ("main", COMMIT):
            return self._refuse(404, "EntryNotFound")
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{_etag(content)}"'}
        if moved:
            port = urlsplit(self.server.hub.url).port
            headers |= {"X-Linked-Etag": f'"{_etag(content)}"', "X-Linked-Size": str(len(content))}
            headers["Location"] = f"http://localhost:{port}/elsewhere/{repo}/{path}"
            return self._send(b"", 302, headers)
        if self.command == "HEAD":
            return self._send(content, 200, headers)
        return self._send_part(path, content, headers)

    def _send_part(self, path, content, headers):
        wanted = self.headers.get("Range")
        self.server.hub.requests.append(("GET", path, wanted))
        self.server.hub.gate.wait()
        faults = self.server.hub.faults.get(path, [])
        fault = faults.pop(0) if faults else None
        if isinstance(fault, tuple):
            return self._refuse(*fault)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._send(content[start:], 206 if wanted else 200, headers, cut=fault)

    def _refuse(self, status, code=None):
        headers = {"Retry-After": "0"} | ({"X-Error-Code": code} if code else {})
        self._send(b"{}", status, headers)

    def _send(self, content, status=200, headers=(), cut=None):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True


def _etag(content):
    # Small files are named by git; any other name than a sha256 will do.
    return hashlib.sha256(content).hexdigest() if len(content) > _LARGE else hashlib.sha1(content).hexdigest()


def _sibling(path, content):
    entry = {"rfilename": path, "size": len(content), "blobId": _etag(content)[:40]}
    if len(content) > _LARGE:
        entry["lfs"] = {"size": len(content), "sha256": _etag(content), "pointerSize": 134}
    return entry
