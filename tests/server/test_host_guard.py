"""snapseek.server.host_guard."""

from dataclasses import replace
from pathlib import Path

import pytest

from snapseek.server import create_app
from snapseek.server.headers import SECURITY_HEADERS
from snapseek.server.host_guard import host_name
from tests.support.asgi_client import ask
from tests.support.fake_library import FakeLibrary


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:8000", "localhost"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[::1]:65535", "[::1]"),
        ("evil.example:8000", "evil.example"),
        ("localhost.evil.example", "localhost.evil.example"),
        ("localhost:80@evil.example", None),
        ("evil.example/localhost", None),
        ("localhost:", None),
        ("localhost:8000x", None),
        ("::1", None),
        ("[::1", None),
        ("", None),
    ],
)
def test_the_name_in_a_host_header(authority: str, name: str | None):
    assert host_name(authority) == name


@pytest.mark.parametrize(
    "host", [b"localhost", b"localhost:81", b"127.0.0.1:8000", b"[::1]:8000", b"LocalHost"]
)
def test_the_names_of_the_loopback_are_let_in(library: FakeLibrary, host: bytes):
    assert ask(create_app(library), "/healthz", headers=[(b"host", host)]).status == 200


@pytest.mark.parametrize(
    "host", [b"evil.example", b"127.0.0.1.evil.example", b"", b"\xff\xfe", b"localhost@evil"]
)
def test_other_names_are_refused_before_anything_is_asked(library: FakeLibrary, host: bytes):
    reply = ask(create_app(library), "/api/search", "q=dog", headers=[(b"host", host)])
    assert reply.status == 421
    assert reply.headers["content-type"] == "application/problem+json"
    assert "localhost" in reply.json()["detail"]
    assert library.searches == []


def test_a_request_without_a_host_is_refused(library: FakeLibrary):
    assert ask(create_app(library), "/healthz", headers=[]).status == 421


def test_an_open_server_lets_every_name_in(library: FakeLibrary):
    app = create_app(library, allowed_hosts=None)
    assert ask(app, "/healthz", headers=[(b"host", b"pictures.example")]).status == 200


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/healthz", "", 200),
        ("/api/search", "q=dog", 200),
        ("/api/image/1", "", 200),
        ("/api/search", "", 400),
        ("/api/nothing", "", 404),
        ("/api/search", "q=damage", 500),
        ("/api/search", "q=defect", 500),
    ],
)
def test_every_answer_carries_the_security_headers(library: FakeLibrary, path: str, query: str, status: int):
    reply = ask(create_app(library), path, query)
    assert reply.status == status
    assert {name: reply.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_a_refused_request_carries_them_too(library: FakeLibrary):
    reply = ask(create_app(library), "/healthz", headers=[(b"host", b"evil.example")])
    assert reply.headers["content-security-policy"] == SECURITY_HEADERS["content-security-policy"]


def test_pictures_may_come_from_elsewhere_only_where_originals_lie_there(library: FakeLibrary):
    info = replace(library.info(), has_remote=True)
    library.info = lambda: info
    policy = ask(create_app(library), "/healthz").headers["content-security-policy"]
    assert policy.replace(" http: https:", "") == SECURITY_HEADERS["content-security-policy"]
    assert "img-src 'self' data: blob: http: https:;" in policy
