"""A client for a hub of models: lists the files of a repository, and downloads one, over plain HTTPS.

    client = HubClient()
    commit, files = client.listing("owner/name", "main")
    client.download("owner/name", commit, "onnx/text_model.onnx", part, size_bytes=254_058_553)

The variables of huggingface_hub apply: `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HOME`, and those of
proxies. The token is sent to the hub only, not to the servers that it redirects to. A redirect leads to a
public address or to that of the hub: each name is resolved once, and the checked address is connected to.
"""

import http.client
import json
import os
import queue
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from snapseek.errors import InputError, ModelError
from snapseek.models.hub.manifest import endpoint
from snapseek.public_address import is_public

REPLY_S = 5.0
"""Time until the hub replies; an unreachable one costs no more."""

LISTING_S = 20.0
"""Time for the list of files of a repository."""

ATTEMPTS = 4
MAX_RETRY_AFTER_S = 5.0
MAX_REDIRECTS = 5
MAX_LISTING_BYTES = 16 << 20
MAX_FILE_BYTES = 32 << 30
"""Size of a file whose size the hub does not tell."""

_CHUNK_BYTES = 1 << 20
_REDIRECTS = {301, 302, 303, 307, 308}
_BUSY = {429, 503}
_YES = {"1", "on", "yes", "true"}
_REFUSED = {
    401: "it does not exist, or needs permission: set HF_TOKEN, or log in with `hf auth login`",
    403: "it needs permission: request access on the repository's page and set HF_TOKEN",
    404: "the hub has no such repository, revision or file",
    429: "the hub limits requests (429); try again in a few minutes",
}
_PORTAL = "the reply is not that of a hub; the network may want you to log in on a web page first"
_T = TypeVar("_T")

Listing = dict[str, tuple[int | None, str | None]]
"""Size and SHA-256 of each file, as far as the hub knows them."""


class HubError(Exception):
    """A request failed. The message is the reason, without the name of the file."""


class HubClient:
    """A client for one hub, `endpoint()` by default. Thread-safe: it keeps no connection."""

    def __init__(self, url: str | None = None) -> None:
        self._endpoint = url or endpoint()
        self._origin = _origin(self._endpoint)
        self._token = _token()
        self._own_addresses: set[str] | None = None

    def listing(self, repo: str, revision: str) -> tuple[str, Listing]:
        """Return the commit of a revision, and its files. Raises HubError."""
        url = f"{self._endpoint}/api/models/{quote(repo)}/revision/{quote(revision, safe='')}?blobs=true"
        with self._open(url) as response:
            content = _within(LISTING_S, lambda: response.read(MAX_LISTING_BYTES + 1))
        try:
            found: Any = json.loads(content) if len(content) <= MAX_LISTING_BYTES else None
            files = {str(entry["rfilename"]): _size_and_digest(entry) for entry in found["siblings"]}
            return str(found.get("sha") or revision), files
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise HubError(_PORTAL) from error

    def download(
        self,
        repo: str,
        revision: str,
        path: str,
        part: Path,
        size_bytes: int | None,
        progress: Callable[[int], object] = lambda received: None,
    ) -> None:
        """Download a file to `part`, and resume what is there. Raises HubError, or OSError of the disk.

        `progress` is called with the number of bytes that `part` has.
        """
        url = f"{self._endpoint}/{quote(repo)}/resolve/{quote(revision, safe='')}/{quote(path)}"
        attempts, start = 0, -1
        while attempts < ATTEMPTS:
            before, start = start, part.stat().st_size if part.exists() else 0
            attempts = attempts + 1 if start <= before else 1
            if start == size_bytes or self._append(url, part, start, size_bytes, progress):
                return
        raise HubError("the hub closed the connection again and again; what was received is kept")

    def _append(
        self, url: str, part: Path, start: int, size_bytes: int | None, progress: Callable[[int], object]
    ) -> bool:
        """Append the rest of a file to `part`; return whether it is complete."""
        limit = MAX_FILE_BYTES if size_bytes is None else size_bytes
        with self._open(url, start) as response:
            if response.headers.get_content_type() == "text/html":
                raise HubError(_PORTAL)
            is_resumed = start > 0 and response.status == http.client.PARTIAL_CONTENT
            received = start if is_resumed else 0
            length = response.headers.get("Content-Length", "")
            expected = size_bytes
            if expected is None and length.isdecimal():
                expected = received + int(length)
            with part.open("ab" if is_resumed else "wb") as file:
                while chunk := _chunk(response):
                    received += len(chunk)
                    if received > limit:
                        file.truncate(0)
                        raise HubError(f"it is larger than {limit} bytes")
                    file.write(chunk)
                    progress(received)
        return expected is None or received == expected

    def _open(self, url: str, start: int = 0) -> Any:
        """Send a request, and follow redirects; return the response. Raises HubError."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return _within(REPLY_S, lambda: self._follow(url, start))
            except urllib.error.HTTPError as error:
                error.close()
                wait_s = _retry_after_s(error.headers.get("Retry-After"))
                if error.code not in _BUSY or attempt == ATTEMPTS or wait_s > MAX_RETRY_AFTER_S:
                    reason = _REFUSED.get(error.code, f"the hub responds with status {error.code}")
                    raise HubError(reason) from error
                time.sleep(wait_s)
            except (InputError, ModelError) as error:
                raise HubError(str(error)) from error
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise HubError(f"the hub cannot be reached ({_first_line(error)})") from error
        raise AssertionError("the last attempt returns or raises")

    def _follow(self, url: str, start: int) -> Any:
        for _ in range(MAX_REDIRECTS + 1):
            headers = {"User-Agent": "snapseek", "Accept-Encoding": "identity"}
            if start:
                headers["Range"] = f"bytes={start}-"
            if self._token and _origin(url) == self._origin:
                headers["Authorization"] = f"Bearer {self._token}"
            try:
                return self._opener().open(urllib.request.Request(url, headers=headers), timeout=REPLY_S)  # noqa: S310
            except urllib.error.HTTPError as error:
                location = error.headers.get("Location") if error.code in _REDIRECTS else None
                if not location:
                    raise
                error.close()
                url = _next_url(url, location)
        raise HubError(f"the hub redirects more than {MAX_REDIRECTS} times")

    def _opener(self) -> urllib.request.OpenerDirector:
        """Return an opener for http and https alone, which follows no redirects by itself."""
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            _Handler(self._connect),
        ):
            opener.add_handler(handler)
        return opener

    def _connect(self, address: tuple[str, int], timeout_s: float, is_proxy: bool) -> socket.socket:
        """Connect to a host, after all its addresses were checked."""
        host, port = address
        found = list(dict.fromkeys(str(info[4][0]) for info in _resolved(host, port)))
        if not is_proxy and _host(self._endpoint) != host:
            if self._own_addresses is None:
                own = _resolved(_host(self._endpoint), 443)
                self._own_addresses = {str(info[4][0]) for info in own}
            if any(ip not in self._own_addresses and not is_public(ip) for ip in found):
                raise InputError(f"it leads to {host}, an address of this machine or its network")
        failure: OSError | None = None
        for ip in found:
            try:
                return socket.create_connection((ip, port), timeout_s)
            except OSError as error:
                failure = error
        raise failure or OSError(f"no address of {host}")


class _Handler(urllib.request.AbstractHTTPHandler):
    """Opens http and https URLs by connections whose address was checked."""

    def __init__(self, connect: Callable[[tuple[str, int], float, bool], socket.socket]) -> None:
        super().__init__()
        self._connect = connect

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        return self.do_request_(request)

    https_request = http_request

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(self._make(request, http.client.HTTPConnection, {}), request)

    def https_open(self, request: urllib.request.Request) -> Any:
        how = {"context": _tls_context()}
        return self.do_open(self._make(request, http.client.HTTPSConnection, how), request)

    def _make(self, request: urllib.request.Request, kind: Any, how: dict[str, Any]) -> Any:
        is_proxy = request.host != urlsplit(request.full_url).netloc

        def make(host: str, **more: Any) -> http.client.HTTPConnection:
            connection: http.client.HTTPConnection = kind(host, **more, **how)
            connection._create_connection = (  # type: ignore[attr-defined]
                lambda address, timeout, source: self._connect(address, timeout, is_proxy)
            )
            return connection

        return make


def _chunk(response: Any) -> bytes:
    """Return the next bytes, none at the end or if the connection breaks."""
    try:
        return bytes(response.read1(_CHUNK_BYTES))
    except (OSError, http.client.HTTPException):
        return b""


def _within(seconds: float, call: Callable[[], _T]) -> _T:
    """Return what `call` returns. Raises TimeoutError after `seconds`: looking up a name has no limit."""
    results: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((True, call()))
        except BaseException as error:
            results.put((False, error))

    threading.Thread(target=run, name="hub", daemon=True).start()
    try:
        succeeded, result = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no reply within {seconds:g} seconds") from None
    if succeeded:
        return result  # type: ignore[no-any-return]
    raise result


def _next_url(url: str, location: str) -> str:
    """Return the target of a redirect. Raises InputError for another scheme, or one without encryption."""
    target = urljoin(url, location)
    scheme = urlsplit(target).scheme
    if scheme not in ("http", "https") or (url.startswith("https:") and scheme == "http"):
        raise InputError(f"it leads to a URL that begins with {scheme[:20]}:")
    return target


def _resolved(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath):  # Python of python.org on macOS
        with suppress(ImportError):
            import certifi

            context.load_verify_locations(certifi.where())
    return context


def _size_and_digest(entry: dict[str, Any]) -> tuple[int | None, str | None]:
    size, lfs = entry.get("size"), entry.get("lfs")
    digest = lfs.get("sha256") if isinstance(lfs, dict) else None
    return size if isinstance(size, int) else None, digest if isinstance(digest, str) else None


def _token() -> str | None:
    """Return the access token of the user: that of `HF_TOKEN`, or the one that `hf auth login` stored."""
    if token := os.environ.get("HF_TOKEN", "").strip():
        return token
    if os.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").lower() in _YES:
        return None
    home = os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser()
    path = Path(os.environ.get("HF_TOKEN_PATH") or Path(home) / "token")
    try:
        return path.read_text("utf-8").strip() or None
    except (OSError, ValueError):
        return None


def _retry_after_s(value: str | None) -> float:
    text = (value or "1").strip()
    return float(text) if text.isdecimal() and len(text) < 10 else 1.0


def _first_line(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    text = str(reason if reason is not None else error)
    return next(iter(text.splitlines()), "")[:200] or type(error).__name__
