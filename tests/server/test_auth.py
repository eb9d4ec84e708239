"""snapseek.server.auth."""

from pathlib import Path

import pytest
from starlette.applications import Starlette

from snapseek.errors import InputError
from snapseek.server import create_app
from snapseek.server.rate_limit import RateLimiter
from snapseek.server.run import check_access
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.fake_library import FakeLibrary

TOKEN = "a-token-of-enough-characters"


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    return create_app(FakeLibrary(tmp_path), allowed_hosts=None, token=TOKEN)


@pytest.mark.parametrize("path", ["/", "/api/search", "/api/image/1", "/metrics", "/knn-service", "/nowhere"])
def test_without_the_token_nothing_is_answered(app: Starlette, path: str):
    reply = ask(app, path, "q=dog")
    assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert "token" in reply.json()["detail"]
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_with_it_everything_is(app: Starlette):
    for scheme in (b"Bearer ", b"bearer "):
        headers = [LOCALHOST, (b"authorization", scheme + TOKEN.encode())]
        assert ask(app, "/api/search", "q=dog", headers=headers).status == 200


@pytest.mark.parametrize(
    "given", [b"Bearer", b"Bearer x", b"Basic " + TOKEN.encode(), b"Bearer " + TOKEN.encode() + b"x", b"\xff"]
)
def test_another_token_is_refused(app: Starlette, given: bytes):
    assert ask(app, "/api/info", headers=[LOCALHOST, (b"authorization", given)]).status == 401


def test_whoever_watches_needs_no_token(app: Starlette):
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


def test_the_token_counts_in_the_address_of_the_page_only(app: Starlette):
    assert ask(app, "/api/info", f"token={TOKEN}").status == 401
    assert ask(app, "/", "token=" + "&token=".join(["x"] * 100)).status == 401


def test_a_client_may_ask_so_often_and_later_again():
    pace = RateLimiter(rate=10, burst=3)
    assert [pace.admits("9.9.9.9", 0.0) for _ in range(4)] == [True, True, True, False]
    assert pace.admits("8.8.8.8", 0.0)
    assert [pace.admits("9.9.9.9", 0.1), pace.admits("9.9.9.9", 0.1)] == [True, False]


def test_few_clients_are_remembered():
    pace = RateLimiter(burst=1, most_clients=10)
    for number in range(1000):
        assert pace.admits(f"2001:db8::{number}", 0.0)
    assert pace._left.size == 10


def test_a_client_that_asks_too_often_is_told_to_wait(tmp_path: Path):
    app = create_app(FakeLibrary(tmp_path), allowed_hosts=None)
    statuses = [ask(app, "/healthz", client="192.0.2.7").status for _ in range(260)]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 200
    assert ask(app, "/healthz").status == 200


def test_a_page_of_another_origin_is_let_in_only_by_name(tmp_path: Path):
    origin = [LOCALHOST, (b"origin", b"https://a.example")]
    plain = create_app(FakeLibrary(tmp_path))
    assert "access-control-allow-origin" not in ask(plain, "/api/info", headers=origin).headers
    app = create_app(FakeLibrary(tmp_path), allowed_origins=["https://a.example"])
    assert ask(app, "/api/info", headers=origin).headers["access-control-allow-origin"] == "https://a.example"
    other = [LOCALHOST, (b"origin", b"https://b.example")]
    assert "access-control-allow-origin" not in ask(app, "/api/info", headers=other).headers


def test_a_server_for_others_needs_a_token():
    check_access("127.0.0.1", None)
    check_access("0.0.0.0", TOKEN)
    check_access("0.0.0.0", None, insecure=True)
    with pytest.raises(InputError, match="SNAPSEEK_TOKEN"):
        check_access("0.0.0.0", None)
    for token in ("short", "é" * 20, "with a space in it now"):
        with pytest.raises(InputError, match="at least 16 ASCII characters"):
            check_access("127.0.0.1", token)
