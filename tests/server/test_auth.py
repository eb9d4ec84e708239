"""snapseek.server.auth."""

import time
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.applications import Starlette

from snapseek.server import auth, create_app
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
    assert (reply.status, reply.headers["location"]) == (303, "./")
    cookie, *rules = reply.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict"} <= set(rules)
    assert TOKEN not in reply.headers["set-cookie"]
    assert ask(app, "/api/info", headers=[LOCALHOST, (b"cookie", cookie.encode())]).status == 200
    assert ask(app, "/api/info", headers=[LOCALHOST, (b"cookie", cookie[:-1].encode())]).status == 401
    assert ask(app, "/api/info", headers=[LOCALHOST, (b"cookie", b"snapseek=\xff;;=")]).status == 401


def test_the_token_parameter_is_read_for_the_page_only(app: Starlette):
    assert ask(app, "/api/info", f"token={TOKEN}").status == 401
    assert ask(app, "/", "token=" + "&token=".join(["x"] * 100)).status == 401


def cookie_of(app: Starlette, token: str = TOKEN, headers: list[tuple[bytes, bytes]] | None = None):
    reply = ask(app, "/", f"token={token}", headers=headers or [LOCALHOST])
    return reply.headers["set-cookie"].split("; ")


def status_with(app: Starlette, cookie: str) -> int:
    return ask(app, "/api/info", headers=[LOCALHOST, (b"cookie", cookie.encode())]).status


def test_a_cookie_ends_after_a_month(app: Starlette, monkeypatch: pytest.MonkeyPatch):
    cookie, *rules = cookie_of(app)
    assert f"Max-Age={30 * 86_400}" in rules
    now = time.time()
    monkeypatch.setattr(auth.time, "time", lambda: now + auth.COOKIE_MAX_AGE_S - 60)
    assert status_with(app, cookie) == 200
    monkeypatch.setattr(auth.time, "time", lambda: now + auth.COOKIE_MAX_AGE_S + 60)
    assert status_with(app, cookie) == 401


def test_nobody_can_lengthen_the_life_of_a_cookie(app: Starlette):
    name, _, value = cookie_of(app)[0].partition("=")
    end, _, signature = value.partition(".")
    for changed in (f"{int(end) + 1}.{signature}", f"{end}.{signature[:-1]}0x", f"{end}.", signature, end):
        assert status_with(app, f"{name}={changed}") == 401


def test_a_new_token_ends_all_cookies_of_the_old_one(app: Starlette, tmp_path: Path):
    cookie = cookie_of(app)[0]
    renewed = create_app(FakeLibrary(tmp_path), allowed_hosts=None, token=TOKEN + "-2")
    assert (status_with(app, cookie), status_with(renewed, cookie)) == (200, 401)


def test_the_token_leaves_the_address_and_the_rest_of_it_stays(app: Starlette):
    reply = ask(app, "/", f"q=two+dogs&token={TOKEN}&where=year%3A2023")
    assert (reply.status, reply.headers["location"]) == (303, "./?q=two+dogs&where=year%3A2023")
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("token", [TOKEN, "a-token-that-was-replaced", ""])
def test_the_token_leaves_the_address_of_a_browser_with_a_cookie(app: Starlette, token: str):
    headers = [LOCALHOST, (b"cookie", cookie_of(app)[0].encode())]
    reply = ask(app, "/", f"token={quote(token)}", headers=headers)
    assert (reply.status, reply.headers["location"]) == (303, "./")
    assert ("set-cookie" in reply.headers) == (token == TOKEN)


def test_the_cookie_is_secure_where_a_trusted_proxy_speaks_https(tmp_path: Path):
    options = {"allowed_hosts": None, "token": TOKEN, "root_path": "/pictures"}
    headers = [LOCALHOST, (b"x-forwarded-proto", b"https")]
    trusting = create_app(FakeLibrary(tmp_path), trusted_proxies=["127.0.0.1"], **options)
    assert {"Secure", "Path=/pictures/"} <= set(cookie_of(trusting, headers=headers))
    assert "Secure" not in cookie_of(trusting)
    assert "Secure" not in cookie_of(create_app(FakeLibrary(tmp_path), **options), headers=headers)
