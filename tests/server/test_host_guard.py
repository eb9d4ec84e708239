"""snapseek.server.host_guard."""

from pathlib import Path

import pytest

from snapseek.server import create_app
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
def test_loopback_names_are_accepted(library: FakeLibrary, host: bytes):
    assert ask(create_app(library), "/healthz", headers=[(b"host", host)]).status == 200


@pytest.mark.parametrize(
    "host", [b"evil.example", b"127.0.0.1.evil.example", b"", b"\xff\xfe", b"localhost@evil"]
)
def test_other_names_are_rejected_before_a_search(library: FakeLibrary, host: bytes):
    reply = ask(create_app(library), "/api/search", "q=dog", headers=[(b"host", host)])
    assert reply.status == 421
    assert reply.headers["content-type"] == "application/problem+json"
    assert "localhost" in reply.json()["expected"]
    assert library.searches == []


def test_a_request_without_a_host_is_rejected(library: FakeLibrary):
    assert ask(create_app(library), "/healthz", headers=[]).status == 421


def test_a_remote_server_accepts_every_name(library: FakeLibrary):
    app = create_app(library, allowed_hosts=None)
    assert ask(app, "/healthz", headers=[(b"host", b"pictures.example")]).status == 200
