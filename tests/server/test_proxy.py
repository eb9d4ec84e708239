"""snapseek.server.proxy: whose headers count, who is local, and the page below another path."""

from pathlib import Path

import pytest
from starlette.responses import JSONResponse

from snapseek.errors import InputError
from snapseek.server import create_app
from snapseek.server.proxy import (
    ProxyHeaders,
    TrustedProxies,
    checked_root_path,
    is_local,
    root_path_of,
    was_forwarded,
)
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.fake_library import FakeLibrary

PROXY = "127.0.0.1"


async def show(scope, receive, send):
    """Answer with what the application sees of a request."""
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    seen = {
        "client": scope["client"][0],
        "scheme": scope["scheme"],
        "host": headers.get("host"),
        "path": scope["path"],
        "root_path": root_path_of(scope),
        "is_local": is_local(scope),
        "was_forwarded": was_forwarded(scope),
    }
    await JSONResponse(seen)(scope, receive, send)


def seen(headers: dict[str, str], *trusted: str, path: str = "/", root_path: str = "", client: str = PROXY):
    app = ProxyHeaders(show, TrustedProxies(trusted), root_path)
    sent = [LOCALHOST, *((name.encode(), value.encode("latin-1")) for name, value in headers.items())]
    return ask(app, path, headers=sent, client=client).json()


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({"x-forwarded-for": "203.0.113.7"}, "203.0.113.7"),
        ({"x-forwarded-for": "198.51.100.1, 203.0.113.7"}, "203.0.113.7"),  # the first is the client's word
        ({"x-forwarded-for": "203.0.113.7, 127.0.0.1"}, "203.0.113.7"),
        ({"x-forwarded-for": "203.0.113.7:4711"}, "203.0.113.7"),
        ({"x-forwarded-for": "[2001:db8::1]:4711"}, "2001:db8::1"),
        ({"x-forwarded-for": "2001:db8::1"}, "2001:db8::1"),
        ({"x-forwarded-for": "::ffff:203.0.113.7"}, "203.0.113.7"),
        ({"x-forwarded-for": "127.0.0.1"}, PROXY),
        ({"x-forwarded-for": "nobody"}, PROXY),
        ({"x-forwarded-for": ""}, PROXY),
        ({"forwarded": "for=203.0.113.7;proto=https"}, "203.0.113.7"),
        ({"forwarded": 'For="[2001:db8::1]:4711"'}, "2001:db8::1"),
        ({"forwarded": "for=198.51.100.1, for=203.0.113.7"}, "203.0.113.7"),
        ({"forwarded": "for=unknown"}, PROXY),
        ({"forwarded": "for=203.0.113.7", "x-forwarded-for": "203.0.113.7"}, "203.0.113.7"),
        ({"forwarded": "for=198.51.100.1", "x-forwarded-for": "203.0.113.7"}, PROXY),
        ({}, PROXY),
    ],
)
def test_the_client_is_what_the_trusted_proxy_says(headers: dict[str, str], client: str):
    assert seen(headers, "127.0.0.0/8")["client"] == client


def test_name_and_scheme_are_what_the_trusted_proxy_says():
    headers = {"x-forwarded-host": "photos.example.org", "x-forwarded-proto": "https"}
    found = seen(headers, PROXY)
    assert (found["host"], found["scheme"]) == ("photos.example.org", "https")
    found = seen({"forwarded": "host=photos.example.org;proto=https"}, PROXY)
    assert (found["host"], found["scheme"]) == ("photos.example.org", "https")
    found = seen({"x-forwarded-host": "evil/..", "x-forwarded-proto": "javascript"}, PROXY)
    assert (found["host"], found["scheme"]) == ("localhost:8000", "http")


@pytest.mark.parametrize("trusted", [(), ("192.0.2.1",), ("::1",)])
def test_headers_of_others_are_ignored(trusted: tuple[str, ...]):
    headers = {
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-host": "photos.example.org",
        "x-forwarded-proto": "https",
        "forwarded": "for=203.0.113.7",
    }
    found = seen(headers, *trusted)
    assert (found["client"], found["host"], found["scheme"]) == (PROXY, "localhost:8000", "http")


@pytest.mark.parametrize(
    "name", ["forwarded", "x-forwarded-for", "x-forwarded-prefix", "x-real-ip", "via", "cf-connecting-ip"]
)
def test_no_request_of_a_proxy_is_local(name: str):
    assert seen({})["is_local"]
    assert not seen({name: "127.0.0.1"})["is_local"]
    assert not seen({name: "127.0.0.1"}, PROXY)["is_local"]
    assert not seen({}, PROXY)["is_local"]  # which may send no header at all
    assert not seen({}, client="192.0.2.1")["is_local"]


def test_a_request_for_another_name_is_not_local():
    app = ProxyHeaders(show, TrustedProxies())
    assert not ask(app, "/", headers=[(b"host", b"photos.example.org")]).json()["is_local"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/pictures/", "/"), ("/pictures/api/info", "/api/info"), ("/api/info", "/api/info"), ("/", "/")],
)
def test_the_root_path_may_be_there_or_removed_by_the_proxy(path: str, expected: str):
    found = seen({}, path=path, root_path="/pictures")
    assert (found["path"], found["root_path"]) == (expected, "/pictures")


def test_the_root_path_alone_gets_its_slash():
    app = ProxyHeaders(show, TrustedProxies(), "/pictures")
    reply = ask(app, "/pictures", "q=dog")
    assert (reply.status, reply.headers["location"]) == (308, "/pictures/?q=dog")


def test_a_path_that_only_begins_like_the_root_path_is_another_one():
    assert seen({}, path="/picturesque/x", root_path="/pictures")["path"] == "/picturesque/x"


@pytest.mark.parametrize("root_path", ["pictures", "/a/../b", "/a b", "//evil.example", "/a?b", "/a\\b"])
def test_a_malformed_root_path_is_refused(root_path: str):
    with pytest.raises(InputError, match="expected a root path such as /pictures"):
        checked_root_path(root_path)


@pytest.mark.parametrize("address", ["proxy", "10.0.0.0/99", "", "1.2.3.4:80"])
def test_a_malformed_proxy_is_refused(address: str):
    with pytest.raises(InputError, match="expected the IP address of a proxy"):
        TrustedProxies([address])


def test_each_client_of_a_proxy_has_its_own_rate_limit(tmp_path: Path):
    app = create_app(FakeLibrary(tmp_path), trusted_proxies=[PROXY])

    def status(client: bytes) -> int:
        return ask(app, "/healthz", headers=[LOCALHOST, (b"x-forwarded-for", client)]).status

    greedy = [status(b"203.0.113.7") for _ in range(260)]
    assert 429 in greedy
    assert status(b"203.0.113.8") == 200
    assert [ask(app, "/healthz").status for _ in range(260)].count(429) > 0  # no header: not local either


def test_the_proxys_name_has_to_be_allowed(tmp_path: Path):
    headers = [LOCALHOST, (b"x-forwarded-host", b"photos.example.org")]
    reply = ask(create_app(FakeLibrary(tmp_path), trusted_proxies=[PROXY]), "/", headers=headers)
    assert reply.status == 421
    assert reply.json()["hint"].endswith("--allow-host photos.example.org")
    names = {"localhost", "photos.example.org"}
    app = create_app(FakeLibrary(tmp_path), trusted_proxies=[PROXY], allowed_hosts=names)
    origin = (b"origin", b"https://photos.example.org")
    assert ask(app, "/api/info", headers=[*headers, origin]).status == 200
    assert ask(app, "/api/info", headers=[LOCALHOST, origin]).status == 403


def test_no_url_is_fetched_for_a_client_of_a_proxy(tmp_path: Path):
    app = create_app(FakeLibrary(tmp_path))
    assert ask(app, "/api/info").json()["accepts_image_url"]
    forwarded = [LOCALHOST, (b"x-forwarded-for", b"127.0.0.1")]
    assert not ask(app, "/api/info", headers=forwarded).json()["accepts_image_url"]
    body = b'{"terms": [{"image_url": "http://example.org/a.jpg"}]}'
    reply = ask(app, "/api/search", method="POST", headers=forwarded, body=body)
    assert (reply.status, reply.json()["got"]) == (400, "image_url")


def test_the_interface_is_described_below_the_root_path(tmp_path: Path):
    app = create_app(FakeLibrary(tmp_path), root_path="/pictures/")
    assert ask(app, "/pictures/api/openapi.json").json()["servers"] == [{"url": "/pictures"}]
    assert "servers" not in ask(create_app(FakeLibrary(tmp_path)), "/api/openapi.json").json()
