"""Fetching from servers on this machine that misbehave; no request leaves this machine."""

import asyncio
import gzip
import socket
import time
from email.utils import formatdate

import pytest

from snapseek.errors import PictureError
from snapseek.sources.http import fetch as module
from snapseek.sources.http.fetch import Fetcher, retry_after_s
from snapseek.sources.http.fetch_limits import FetchLimits
from tests.support.loopback import Loopback, answer, dripping, endless, head, in_turn, rude, silent

BODY = b"a picture" * 1000
PATIENT = {"timeout_s": 30.0, "deadline_s": 60.0, "pause_s": 0.01, "allow_private": True}
SOON_S = 0.5


def fetched(*urls, **limits):
    """Return the bytes of each URL, or the reason of the failure."""

    async def one(fetcher, url):
        try:
            return await fetcher.get(url)
        except PictureError as error:
            return str(error)

    async def run():
        async with Fetcher(FetchLimits(**PATIENT | limits)) as fetcher:
            return await asyncio.gather(*(one(fetcher, url) for url in urls))

    found = asyncio.run(run())
    return found[0] if len(found) == 1 else found


@pytest.fixture
def web():
    with Loopback() as server:
        yield server


def test_a_picture(web):
    web.routes["a.jpg"] = answer(body=BODY, Content_Type="image/jpeg")
    assert fetched(web.url("a.jpg")) == BODY


async def cut(writer, request):
    writer.write(head(200, {"Content-Length": len(BODY)}) + BODY[:50])


async def garbage(writer, request):
    writer.write(b"\0\1\2 not http\r\n\r\n")


FAILURES = {
    "gone": (answer(404), 1, "the server answers 404"),
    "forbidden": (answer(403), 1, "the server answers 403"),
    "not modified": (answer(304), 1, "the server answers 304"),
    "an unknown status": (answer(799), 1, "the server answers 799"),
    "broken": (answer(500), 3, "the server answers 500 (Internal Server Error)"),
    "busy": (answer(429), 3, "the server answers 429 (Too Many Requests)"),
    "busy for long": (answer(503, Retry_After=3600), 1, "no time left"),
    "silent": (silent, 3, "within 0.5 seconds"),
    "slow": (dripping(BODY, 0.05), 3, "within 0.5 seconds"),
    "cut": (cut, 3, "the response ends before the picture"),
    "rude": (
        rude,
        6,  # each attempt is made twice by the client: a kept connection may have closed
        "cannot be reached",
    ),
    "garbage": (garbage, 3, "cannot be reached"),
    "a page": (answer(body=b"<html>", Content_Type="text/html; charset=utf-8"), 1, "got 'text/html'"),
    "a film": (answer(body=b"x", Content_Type="video/mp4"), 1, "got 'video/mp4'"),
    "said to be huge": (answer(body=BODY, Content_Length=10**12), 1, "more than 1 MiB"),
    "huge": (endless(), 1, "more than 1 MiB"),
    "not for us": (answer(body=BODY, X_Robots_Tag="noai, noimageai"), 1, "X-Robots-Tag: noai"),
    "to a file": (answer(302, Location="file:///etc/passwd"), 1, "begins with http"),
    "to nonsense": (
        answer(302, Location="http://[::1"),
        1,
        "expected a valid URL as the target of a redirect",
    ),
    "in a circle": (answer(301, Location="x"), 6, "redirects more than 5 times"),
    "moved to nowhere": (answer(302), 1, "the server answers 302"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_reported_with_a_reason(web, name):
    behaviour, times, reason = FAILURES[name]
    web.routes["x"] = behaviour
    soon = {"timeout_s": SOON_S} if f"{SOON_S:g} seconds" in reason else {}
    found = fetched(web.url("x"), max_bytes=1 << 20, **soon)
    assert reason in found
    assert found.isprintable()
    assert web.request_counts["x"] == times


@pytest.mark.parametrize("status", [429, 503, 500, 408])
def test_transient_failures_are_retried(web, status):
    web.routes["x"] = in_turn(answer(status), cut, answer(body=BODY))
    assert fetched(web.url("x")) == BODY
    assert web.request_counts["x"] == 3


@pytest.mark.parametrize("form", [lambda: "1", lambda: formatdate(time.time() + 2, usegmt=True)])
def test_retry_after_of_a_host_is_respected(web, form):
    began_s = time.monotonic()
    web.routes["x"] = in_turn(answer(429, Retry_After=form()), answer(body=BODY))
    web.routes["y"] = answer(body=BODY)
    assert fetched(web.url("x"), web.url("y"), connections_per_host=1) == [BODY, BODY]
    assert 0.9 <= time.monotonic() - began_s < 5


@pytest.mark.parametrize("said", ["", "soon", "-5", "1e9", "9" * 50, "Wed, 21 Oct 2015 07:28:00 GMT", "²"])
def test_an_invalid_retry_after_is_ignored(said):
    assert retry_after_s({"Retry-After": said}) == 0


def test_a_redirect_is_followed(web):
    web.routes["old"] = answer(301, Location="/folder/../new?x=1#y")
    web.routes["new"] = answer(302, Location=web.url("newest"))
    web.routes["newest"] = answer(body=BODY)
    assert fetched(web.url("old")) == BODY


INSIDE = ["http://169.254.169.254/latest", "http://[::1]/", "http://10.0.0.1/", "http://[::ffff:127.0.0.1]/"]


@pytest.mark.parametrize("where", INSIDE)
def test_a_redirect_into_this_network_is_refused(web, where, monkeypatch):
    """Allow the test server by its port, and check all other addresses."""
    web.routes["x"] = answer(302, Location=where)
    checked = module.checked_url
    monkeypatch.setattr(
        module, "checked_url", lambda url, **how: url if url == web.url("x") else checked(url, **how)
    )
    assert "of this machine or its network" in fetched(web.url("x"), allow_private=False)
    assert web.request_counts["x"] == 1


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "017700000001"]
)
def test_this_machine_is_rejected_under_any_name(web, host):
    web.routes["x"] = answer(body=BODY)
    found = fetched(f"http://{host}:{web.port}/x", allow_private=False)
    assert "of this machine or its network" in found or found == "the URL is not valid"
    assert not web.request_counts


def test_a_name_with_one_private_address_is_rejected(web, monkeypatch):
    """DNS rebinding: one public address and one of this machine."""
    web.routes["x"] = answer(body=BODY)
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, web.port)) for ip in ("1.1.1.1", "127.0.0.1")]
    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_: both)
    assert "of this machine or its network" in fetched("http://two.example/x", allow_private=False)
    assert not web.request_counts


@pytest.mark.parametrize(
    ("code", "reason"),
    [(socket.EAI_NONAME, "there is no host named a.example"), (socket.EAI_AGAIN, "cannot be reached")],
)
def test_an_unknown_host_name_is_an_error(monkeypatch, code, reason):
    def unknown(*_):
        raise socket.gaierror(code, "nobody")

    monkeypatch.setattr(module.socket, "getaddrinfo", unknown)
    assert reason in fetched("http://a.example/x")


@pytest.mark.parametrize("url", ["", "cat.jpg", "ftp://example.org/x", "http://[", "file:///etc/passwd"])
def test_an_invalid_url_is_an_error(url):
    assert "expected a URL" in fetched(url)


def test_a_closed_port_is_an_error(web):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "cannot be reached" in fetched(f"http://127.0.0.1:{port}/x")


def test_compressed_responses_are_not_decompressed(web):
    packed = gzip.compress(bytes(10 << 20))
    web.routes["x"] = answer(body=packed, Content_Encoding="gzip", Content_Type="image/png")
    assert fetched(web.url("x"), max_bytes=1 << 20) == packed


def test_connections_per_host_are_limited(web):
    async def slowly(writer, request):
        await asyncio.sleep(0.05)
        await answer(body=BODY)(writer, request)

    web.routes |= {f"{number}": slowly for number in range(30)}
    found = fetched(*(web.url(f"{number}") for number in range(30)), connections_per_host=3)
    assert found == [BODY] * 30
    assert web.most_open <= 3


@pytest.mark.slow
def test_time_in_the_queue_does_not_count_for_the_deadline(web):
    async def slowly(writer, request):
        await asyncio.sleep(0.1)
        await answer(body=BODY)(writer, request)

    web.routes |= {f"{number}": slowly for number in range(25)}
    urls = [web.url(f"{number}") for number in range(25)]
    assert fetched(*urls, connections_per_host=1, deadline_s=2.0) == [BODY] * 25


def test_a_dead_host_is_skipped_after_repeated_failures(web):
    web.routes |= {f"{number}": rude for number in range(40)}
    found = fetched(*(web.url(f"{number}") for number in range(40)))
    assert sum("failed" in reason and "in a row" in reason for reason in found) > 15
    assert sum(web.request_counts.values()) < 40


def test_missing_pictures_do_not_count_as_host_failures(web):
    urls = [web.url(f"{number}") for number in range(40)]
    assert set(fetched(*urls)) == {"the server answers 404 (Not Found)"}


def test_large_pictures_are_fetched(web, monkeypatch):
    monkeypatch.setattr(module, "_LARGE_BYTES", 1000)
    web.routes |= {f"{number}": answer(body=BODY) for number in range(20)}
    assert fetched(*(web.url(f"{number}") for number in range(20)), connections_per_host=20) == [BODY] * 20
