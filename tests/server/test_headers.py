"""snapseek.server.headers."""

from dataclasses import replace
from pathlib import Path

import pytest

from snapseek.server import create_app
from snapseek.server.headers import SECURITY_HEADERS
from tests.support.asgi_client import ask
from tests.support.fake_library import FakeLibrary


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


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
def test_every_response_has_the_security_headers(library: FakeLibrary, path: str, query: str, status: int):
    reply = ask(create_app(library), path, query)
    assert reply.status == status
    assert {name: reply.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_a_rejected_request_gets_the_security_headers(library: FakeLibrary):
    reply = ask(create_app(library), "/healthz", headers=[(b"host", b"evil.example")])
    assert reply.headers["content-security-policy"] == SECURITY_HEADERS["content-security-policy"]


def test_pictures_of_other_servers_load_if_the_library_has_any(library: FakeLibrary):
    info = replace(library.info(), has_remote=True)
    library.info = lambda: info
    policy = ask(create_app(library), "/healthz").headers["content-security-policy"]
    assert policy.replace(" http: https:", "") == SECURITY_HEADERS["content-security-policy"]
    assert "img-src 'self' data: blob: http: https:;" in policy
