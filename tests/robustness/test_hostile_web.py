"""Names and redirects that lead into this machine or its network: for pictures and for models."""

import asyncio
import re
import sys
import time

import pytest

from snapseek.errors import ModelError, PictureError
from snapseek.models.hub import client as hub_client
from snapseek.models.hub.client import HubClient, HubError
from snapseek.models.hub.resolve import pull_model
from snapseek.sources.http import fetch, url_policy
from snapseek.sources.http.fetch import Fetcher
from snapseek.sources.http.fetch_limits import FetchLimits
from tests.support.inside_web import INSIDE, OUTSIDE, Names, inner_server, outside_is_public
from tests.support.loopback import Loopback, answer, in_turn, silent

if sys.platform != "linux":
    pytest.skip("needs addresses of the loopback beyond 127.0.0.1", allow_module_level=True)

INTO = {
    "loopback": "http://127.0.0.2:{port}/x",
    "loopback as a number": "http://2130706434:{port}/x",
    "loopback in octal": "http://0177.0.0.2:{port}/x",
    "loopback in hexadecimal": "http://0x7f000002:{port}/x",
    "loopback in short": "http://127.2:{port}/x",
    "loopback in IPv6": "http://[::1]:{port}/x",
    "loopback mapped to IPv6": "http://[::ffff:127.0.0.2]:{port}/x",
    "loopback mapped in hexadecimal": "http://[::ffff:7f00:2]:{port}/x",
    "loopback by NAT64": "http://[64:ff9b::7f00:2]:{port}/x",
    "any address": "http://0.0.0.0:{port}/x",
    "link-local": "http://169.254.169.254/latest/meta-data",
    "link-local in IPv6": "http://[fe80::1]:{port}/x",
    "private": "http://10.0.0.1:{port}/x",
    "unique local": "http://[fd00::1]:{port}/x",
    "shared": "http://100.64.0.1:{port}/x",
    "a name with a private address": "http://inside.example:{port}/x",
    "a name with a public and a private address": "http://mixed.example:{port}/x",
    "a name with a mapped address": "http://mapped.example:{port}/x",
    "a file": "file:///etc/hostname",
    "ftp": "ftp://inside.example/x",
    "data": "data:text/plain,x",
    "gopher": "gopher://inside.example:{port}/x",
}
REFUSED = "of this machine or its network|begins with|the URL is not valid"
TOKEN = "hf_secret"


@pytest.fixture
def names(monkeypatch):
    resolver = Names(
        {
            "outside.example": [[OUTSIDE]],
            "other.example": [[OUTSIDE]],
            "inside.example": [[INSIDE]],
            "mixed.example": [[OUTSIDE, INSIDE]],
            "mapped.example": [["::ffff:127.0.0.2"]],
            "rebound.example": [[OUTSIDE], [INSIDE]],
        }
    )
    monkeypatch.setattr("socket.getaddrinfo", resolver)
    monkeypatch.setenv("NO_PROXY", "*")
    outside_is_public(monkeypatch, fetch, url_policy, hub_client)
    return resolver


@pytest.fixture
def web(names):
    with Loopback() as server:
        yield server


@pytest.fixture
def inner(web):
    with inner_server(web.port) as seen:
        yield seen


def fetch_picture(url):
    """Return the bytes, or the reason why they were not fetched."""

    async def get():
        limits = FetchLimits(attempts=1, timeout_s=5.0)
        async with Fetcher(limits) as fetcher:
            try:
                return await fetcher.get(url)
            except PictureError as error:
                return str(error)

    return asyncio.run(get())


def fetch_file(url, folder, path="x"):
    """Download a file of a model from the hub at that host; return the reason of a failure."""
    hub = url.rsplit("/", 1)[0]
    try:
        HubClient(hub).download("maker/clip", "main", path, folder / "part", None)
    except HubError as error:
        return str(error)
    return (folder / "part").read_bytes()


FILE = "maker/clip/resolve/main/x"


@pytest.mark.parametrize("what", ["a picture", "a file of a model"])
@pytest.mark.parametrize("target", INTO.values(), ids=INTO)
def test_nothing_inside_is_requested(web, inner, tmp_path, what, target):
    redirect = answer(302, Location=target.format(port=web.port))
    web.routes |= {"x": redirect, FILE: redirect}
    url = f"http://outside.example:{web.port}/x"
    found = fetch_picture(url) if what == "a picture" else fetch_file(url, tmp_path)
    assert re.search(REFUSED, found), found
    assert "\n" not in found
    assert inner == []
    assert not (tmp_path / "part").exists()


@pytest.mark.parametrize("target", INTO.values(), ids=INTO)
def test_no_such_address_is_fetched_at_once(web, inner, target):
    assert re.search(REFUSED, fetch_picture(target.format(port=web.port)))
    assert inner == []


@pytest.mark.parametrize("what", ["a picture", "a file of a model"])
def test_a_name_that_moves_inside_after_the_check(web, inner, names, tmp_path, what):
    """DNS rebinding: the second lookup of the name leads inside."""
    move = answer(302, Location=f"http://rebound.example:{web.port}/y")
    web.routes |= {"x": move, FILE: move, "y": answer(body=b"outside")}
    url = f"http://outside.example:{web.port}/x"
    found = fetch_picture(url) if what == "a picture" else fetch_file(url, tmp_path)
    assert found == b"outside"
    assert names.lookups.count("rebound.example") == 1
    again = f"http://rebound.example:{web.port}/y"
    web.routes |= {"x": answer(302, Location=again), FILE: answer(302, Location=again)}
    (tmp_path / "part").unlink(missing_ok=True)
    later = fetch_picture(url) if what == "a picture" else fetch_file(url, tmp_path)
    assert isinstance(later, str)
    assert inner == []


def test_a_mirror_of_this_machine_redirects_to_itself(web, tmp_path):
    web.routes |= {FILE: answer(302, Location="/y"), "y": answer(body=b"here")}
    assert fetch_file(web.url("x"), tmp_path) == b"here"


def test_the_token_stays_with_the_hub(names, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    heads = []

    async def record(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        path = heads[-1].split(b" ", 2)[1].decode()
        target = f"http://other.example:{port}/y" if path.endswith("x") else None
        await (answer(302, Location=target) if target else answer(body=b"file"))(writer, 1)
        await writer.drain()
        writer.close()

    with Loopback() as server:
        start = asyncio.start_server(record, OUTSIDE, 0)
        recorder = asyncio.run_coroutine_threadsafe(start, server._loop).result(60)
        port = recorder.sockets[0].getsockname()[1]
        assert fetch_file(f"http://outside.example:{port}/x", tmp_path) == b"file"
        server._loop.call_soon_threadsafe(recorder.close)
    assert f"Authorization: Bearer {TOKEN}".encode() in heads[0]
    assert TOKEN.encode() not in heads[1]


def test_a_redirect_without_encryption_is_refused():
    with pytest.raises(Exception, match="begins with http:"):
        hub_client._next_url("https://hub.example/x", "http://other.example/x")


async def portal(writer, nth):
    await answer(200, b"<html>Please log in</html>", Content_Type="text/html")(writer, nth)


LISTING = "api/models/maker/clip/revision/main"
UNREACHABLE = {
    "a closed port": (None, "cannot be reached"),
    "a black hole": (silent, "no reply within 5 seconds|timed out"),
    "a captive portal": (portal, "log in on a web page"),
    "a captive portal elsewhere": (answer(302, Location="http://10.1.1.1/login"), "its network"),
    "a redirect in a circle": (
        answer(302, Location="/api/models/maker/clip/revision/main"),
        "more than 5 times",
    ),
    "a busy hub": (answer(503, Retry_After=3600), "status 503"),
    "nonsense": (answer(body=b"\0\1\2"), "not that of a hub"),
}


@pytest.mark.parametrize(("behave", "reason"), UNREACHABLE.values(), ids=UNREACHABLE)
def test_an_unreachable_hub_costs_seconds_and_one_sentence(web, tmp_path, monkeypatch, behave, reason):
    monkeypatch.setattr(hub_client, "REPLY_S", 1.0)
    web.routes[LISTING] = behave or answer(404)
    url = f"http://127.0.0.1:{web.port}" if behave else "http://127.0.0.1:9"
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path))
    began_s = time.monotonic()
    with pytest.raises(ModelError, match=reason.replace("5 seconds", "1 seconds")) as error:
        pull_model("maker/clip", tmp_path / "models")
    assert time.monotonic() - began_s < 5
    assert "\n" not in str(error.value)
    assert "to download it by hand" in str(error.value)


def test_a_name_server_that_never_replies_costs_seconds(names, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_client, "REPLY_S", 0.3)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: time.sleep(3))
    began_s = time.monotonic()
    with pytest.raises(HubError, match=r"no reply within 0\.3 seconds"):
        HubClient("http://outside.example").listing("maker/clip", "main")
    assert time.monotonic() - began_s < 2.5


def test_a_file_that_never_ends_is_cut(web, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_client, "MAX_FILE_BYTES", 1000)
    web.routes[FILE] = answer(body=b"x" * 5000)
    assert "larger than 1000 bytes" in fetch_file(web.url("x"), tmp_path)


def test_a_body_that_ends_early_again_and_again(web, tmp_path):
    short = answer(body=b"x" * 10, Content_Length=100)
    web.routes[FILE] = in_turn(short)
    found = fetch_file(web.url("x"), tmp_path)
    assert "again and again" in found
    assert web.request_counts[FILE] <= hub_client.ATTEMPTS + 1


def test_a_proxy_is_used_for_the_hub(web, tmp_path, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", web.url("").rstrip("/"))
    monkeypatch.setenv("HTTP_PROXY", web.url("").rstrip("/"))
    web.routes["http://hub.invalid/" + FILE] = answer(body=b"through the proxy")
    assert fetch_file("http://hub.invalid/x", tmp_path) == b"through the proxy"
