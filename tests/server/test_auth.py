"""snapseek.server.auth."""

from pathlib import Path

import pytest
from starlette.applications import Starlette

from snapseek.server import create_app
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.fake_library import FakeLibrary

TOKEN = "a-token-of-enough-characters"


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    return create_app(FakeLibrary(tmp_path), allowed_hosts=None, token=TOKEN)


@pytest.mark.parametrize("path", ["/", "/api/search", "/api/image/1", "/metrics", "/knn-service", "/nowhere"])
def test_requests_without_the_token_are_rejected(app: Starlette, path: str):
    reply = ask(app, path, "q=dog")
    assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert reply.json()["expected"] == "the access token of this server"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_requests_with_the_token_are_answered(app: Starlette):
    for scheme in (b"Bearer ", b"bearer "):
        headers = [LOCALHOST, (b"authorization", scheme + TOKEN.encode())]
        assert ask(app, "/api/search", "q=dog", headers=headers).status == 200


@pytest.mark.parametrize(
    "credentials",
    [b"Bearer", b"Bearer x", b"Basic " + TOKEN.encode(), b"Bearer " + TOKEN.encode() + b"x", b"\xff"],
)
def test_a_wrong_token_is_rejected(app: Starlette, credentials: bytes):
    assert ask(app, "/api/info", headers=[LOCALHOST, (b"authorization", credentials)]).status == 401


def test_health_checks_need_no_token(app: Starlette):
    assert [ask(app, path).status for path in ("/healthz", "/readyz")] == [200, 200]


def test_a_browser_gets_a_cookie_without_the_token_in_it(app: Starlette):
    reply = ask(app, "/", f"token={TOKEN}")
    assert (reply.status, reply.headers["location"]) == (303, "/")
    cookie, *rules = reply.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict"} <= set(rules)
    assert TOKEN not in reply.headers["set-cookie"]
    assert ask(app, "/api/info", headers=[LOCALHOST, (b"cookie", cookie.encode())]).status == 200
    assert ask(app, "/api/info", headers=[LOCALHOST, (b"cookie", cookie[:-1].encode())]).status == 401
    assert ask(app, "/api/info", headers=[LOCALHOST, (b"cookie", b"snapseek=\xff;;=")]).status == 401


def test_the_token_parameter_is_read_for_the_page_only(app: Starlette):
    assert ask(app, "/api/info", f"token={TOKEN}").status == 401
    assert ask(app, "/", "token=" + "&token=".join(["x"] * 100)).status == 401
