"""Fetch pictures over HTTP: few connections per host, `Retry-After`, retries with backoff, deadlines.

    async with Fetcher() as fetcher:
        data = await fetcher.get("https://example.org/cat.jpg")     # or PictureError with the reason

Size, time, redirects, retries and memory are bounded; see `FetchLimits`. Addresses of this machine and its
network are rejected (see `url_policy`), also in redirects.
"""

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from snapseek.errors import InputError, PictureError
from snapseek.sources.http.fetch_limits import Deadline, FetchLimits, HostThrottle
from snapseek.sources.http.url_policy import PrivateAddressError, checked_url, is_public

MAX_REDIRECTS = 5

_CHUNK_BYTES = 1 << 16
_LARGE_BYTES = 4 << 20
_MAX_LARGE = 8
"""Number of concurrent downloads above _LARGE_BYTES; bounds memory to 0.5 GB with 64 connections."""

_LOOKUP_THREADS = 32
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_PICTURES = ("text/html", "application/xhtml", "application/json", "application/pdf", "video/", "audio/")
_REFUSED_BY_ROBOTS = frozenset({"none", "noindex", "noimageindex", "noai", "noimageai"})
_HEADERS = {
    "User-Agent": "snapseek (image search; fetches the pictures of a list)",
    "Accept": "image/*,*/*;q=0.5",
    "Accept-Encoding": "identity",  # no decompression bombs
}


class _TransientError(Exception):
    """A failure that a retry may fix. `wait_s` is the server's `Retry-After`.

    `is_of_host` marks a failure that other pictures of the same host probably share.
    """

    def __init__(self, reason: str, wait_s: float = 0.0, *, is_of_host: bool = False) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.is_of_host = is_of_host


class Fetcher:
    """Fetches many pictures concurrently. Use it in `async with`, and call `get` from many tasks."""

    def __init__(
        self, limits: FetchLimits | None = None, wait_for_space: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        """No connection is opened yet. `wait_for_space` returns when there is memory for one more picture."""
        self._limits = limits or FetchLimits()
        self._wait_for_space = wait_for_space
        self._hosts: dict[str, HostThrottle] = {}
        self._large = asyncio.Semaphore(_MAX_LARGE)
        self._open = asyncio.Semaphore(self._limits.connections)

    async def __aenter__(self) -> Self:
        limits = self._limits
        self._lookups = ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="lookup")
        connector = aiohttp.TCPConnector(
            limit=limits.connections,
            limit_per_host=limits.connections_per_host,
            resolver=_CheckedResolver(self._lookups, allow_private=limits.allow_private),
            ttl_dns_cache=300,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self._session.close()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def get(self, url: str) -> bytes:
        """Return the body at a URL, which need not be a picture. Raises PictureError with the reason."""
        limits = self._limits
        deadline = Deadline(limits.deadline_s)
        for attempt in range(1, limits.attempts + 1):
            try:
                return await self._follow_redirects(url, deadline)
            except InputError as error:  # the URL or the target of a redirect
                raise PictureError(str(error)) from error
            except _TransientError as failure:
                wait_s = max(failure.wait_s, limits.pause_s * 2 ** (attempt - 1) * random.uniform(0.75, 1.25))  # noqa: S311
                if attempt == limits.attempts:
                    raise PictureError(str(failure)) from failure
                if wait_s >= deadline.left_s:
                    raise PictureError(f"{failure}, and there is no time left to try again") from failure
                deadline.left_s -= wait_s
                await asyncio.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    async def _follow_redirects(self, url: str, deadline: Deadline) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            checked = checked_url(url, allow_private=self._limits.allow_private)
            found = await self._request(checked, deadline)
            if isinstance(found, bytes):
                return found
            url = _joined(checked, found)
        raise PictureError(f"the server redirects more than {MAX_REDIRECTS} times")

    async def _request(self, url: str, deadline: Deadline) -> bytes | str:
        """Return the body, or the target of a redirect."""
        async with self._turn(urlsplit(url).netloc) as host:
            try:
                found = await self._send(url, host, deadline)
            except _TransientError as failure:
                host.misses = host.misses + 1 if failure.is_of_host else 0
                raise
            except PictureError:
                host.misses = 0
                raise
            host.misses = 0
            return found

    async def _send(self, url: str, host: HostThrottle, deadline: Deadline) -> bytes | str:
        try:
            async with (
                deadline.spending(self._limits.timeout_s),
                self._session.get(URL(url, encoded=True), allow_redirects=False) as response,
            ):
                return await self._receive(response, host)
        except TimeoutError as error:
            seconds = self._limits.timeout_s
            reason = f"the server did not answer in full within {seconds:g} seconds"
            raise _TransientError(reason, is_of_host=True) from error
        except aiohttp.ClientError as error:
            raise _failure(error) from error

    async def _receive(self, response: aiohttp.ClientResponse, host: HostThrottle) -> bytes | str:
        status = response.status
        if status in _REDIRECTS and "Location" in response.headers:
            return response.headers["Location"]
        if status in _RETRIED:
            wait_s = retry_after_s(response.headers)
            is_of_host = status in (429, 503)
            if is_of_host:
                host.pause(min(wait_s, self._limits.deadline_s))
            raise _TransientError(f"the server answers {described(status)}", wait_s, is_of_host=is_of_host)
        if status != HTTPStatus.OK:
            raise PictureError(f"the server answers {described(status)}")
        self._check_headers(response)
        return await self._body(response)

    def _check_headers(self, response: aiohttp.ClientResponse) -> None:
        kind = response.headers.get("Content-Type", "").strip().lower()
        if kind.startswith(_NOT_PICTURES):
            raise PictureError(expected="a picture", got=f"{kind.partition(';')[0]!r:.60}")
        said = ",".join(response.headers.getall("X-Robots-Tag", [])).lower()
        refused = _REFUSED_BY_ROBOTS.intersection(word.strip() for word in said.split(","))
        if self._limits.respect_robots and refused:
            raise PictureError(f"the server asks not to use the picture (X-Robots-Tag: {min(refused)})")
        self._check_size(response.content_length or 0)

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._limits.max_bytes:
            raise PictureError(
                f"the picture has more than {self._limits.max_bytes / 2**20:g} MiB and is not fetched"
            )

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        data = bytearray()
        async with AsyncExitStack() as stack:
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                if len(data) <= _LARGE_BYTES < len(data) + len(chunk):
                    await stack.enter_async_context(self._large)
                    await self._space()
                data += chunk
                self._check_size(len(data))
        return bytes(data)

    async def _space(self) -> None:
        if self._wait_for_space is not None:
            await self._wait_for_space()

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[HostThrottle]:
        """Wait until the host is not paused, and a connection is free."""
        host = self._hosts.setdefault(name, HostThrottle(self._limits.connections_per_host))
        host.waiting += 1
        try:
            async with host.turns:
                await host.wait_for_pause()
                if host.is_given_up:
                    raise PictureError(f"skipped: the host failed {host.misses} times in a row before")
                async with self._open:
                    await self._space()
                    yield host
        finally:
            host.waiting -= 1
            if not (host.waiting or host.misses or host.is_paused()):
                self._hosts.pop(name, None)


class _CheckedResolver(AbstractResolver):
    """Resolves names in threads, and rejects names with an address that is not public."""

    def __init__(self, threads: ThreadPoolExecutor, *, allow_private: bool) -> None:
        self._threads = threads
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        addresses = [info[4][0] for info in found]
        if not self._allow_private and not all(is_public(str(address)) for address in addresses):
            raise PrivateAddressError(host)
        return [
            ResolveResult(
                hostname=host, host=str(info[4][0]), port=port, family=info[0], proto=info[2], flags=0
            )
            for info in found
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, location)
    except ValueError as error:
        raise InputError(expected="a valid URL as the target of a redirect", got=location) from error


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Return `Retry-After` as seconds from now, 0 if it is missing or invalid."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal() and len(value) < 10:
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0


def described(status: int) -> str:
    """Return a status with its name: "404 (Not Found)"."""
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)


def _failure(error: aiohttp.ClientError) -> Exception:
    """Return the error as a PictureError, an InputError, or a _TransientError that is retried."""
    refused = _cause(error, InputError)
    if refused is not None:
        return refused
    if isinstance(error, aiohttp.ClientPayloadError):
        return _TransientError("the response ends before the picture does")
    if isinstance(error, aiohttp.ClientConnectorDNSError) and not _is_transient(error.os_error):
        return PictureError(f"there is no host named {error.host}")
    if isinstance(error, aiohttp.ClientSSLError):
        return PictureError(f"the certificate of the host is not valid: {_first_line(error)}")
    if isinstance(error, aiohttp.InvalidURL):
        return PictureError("the URL is not valid")
    return _TransientError(f"the server cannot be reached: {_first_line(error)}", is_of_host=True)


def _is_transient(error: OSError) -> bool:
    return isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN


def _cause(error: BaseException | None, kind: type[Exception]) -> Exception | None:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _first_line(error: Exception) -> str:
    text = next(iter(str(error).splitlines()), "") or type(error).__name__
    return text[:200]
