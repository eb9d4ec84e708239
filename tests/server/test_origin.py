"""snapseek.server.origin: what other web pages may not do."""

from pathlib import Path

import pytest
from starlette.applications import Starlette

from snapseek.server import create_app
from tests.support.asgi_client import LOCALHOST, Reply, ask
from tests.support.fake_library import FakeLibrary

ALLOWED = "https://a.example"
JSON = (b"content-type", b"application/json")
QUESTION = b'{"q": "dog"}'


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


@pytest.fixture
def app(library: FakeLibrary) -> Starlette:
    return create_app(library, allowed_origins=[ALLOWED])


def fields(**headers: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


def search(app: Starlette, **headers: str) -> Reply:
    return ask(app, "/api/search", method="POST", headers=[LOCALHOST, *fields(**headers)], body=QUESTION)


OWN = "http://localhost:8000"
FOREIGN = [
    "https://evil.example",
    "http://localhost:3000",
    "http://localhost",
    "http://127.0.0.1:8000",
    "http://localhost:8000.evil.example",
    "http://localhost:8000@evil.example",
    "http://evil.example/localhost:8000",
    "null",
    "",
    "file://",
    "localhost:8000",
    "https://a.example.evil.example",
    "http://a.example",
    "http://[::1",
]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("site", [None, "cross-site", "same-site", "same-origin", "none"])
@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_another_origin_is_rejected(
    app: Starlette, library: FakeLibrary, origin: str, site: str | None, kind: str
):
    headers = {"origin": origin, "content_type": kind} | ({"sec_fetch_site": site} if site else {})
    reply = search(app, **headers)
    assert (reply.status, reply.headers["content-type"]) == (403, "application/problem+json")
    assert "--allow-origin" in reply.json()["detail"]
    assert library.searches == []


@pytest.mark.parametrize("path", ["/api/search", "/knn-service", "/metadata"])
def test_plain_text_is_no_json_for_a_browser(app: Starlette, path: str):
    for headers in (fields(origin=OWN), fields(sec_fetch_site="same-origin"), fields(origin=ALLOWED)):
        for kind in ([], fields(content_type="text/plain"), fields(content_type="multipart/form-data")):
            reply = ask(app, path, method="POST", headers=[LOCALHOST, *headers, *kind], body=QUESTION)
            assert reply.status == 415
            assert "application/json" in reply.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": OWN, "sec_fetch_site": "same-origin"},
        {"origin": OWN},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": ALLOWED, "sec_fetch_site": "cross-site"},
        {"origin": "HTTPS://A.example"},
        {},
    ],
)
def test_the_own_page_allowed_origins_and_programs_are_answered(app: Starlette, headers: dict[str, str]):
    assert search(app, content_type="application/json", **headers).status == 200


def test_a_program_may_leave_the_type_out(app: Starlette):
    assert search(app).status == 200
    assert search(app, content_type="application/x-www-form-urlencoded").status == 200


@pytest.mark.parametrize(
    "path",
    ["/api/search", "/api/items", "/api/image/1", "/api/info", "/metrics", "/indices-list", "/healthz"],
)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "unheard-of", ""])
@pytest.mark.parametrize("mode", ["no-cors", "cors"])
def test_a_page_elsewhere_cannot_make_the_server_work(
    app: Starlette, library: FakeLibrary, path: str, site: str, mode: str
):
    headers = [LOCALHOST, *fields(sec_fetch_site=site, sec_fetch_mode=mode, sec_fetch_dest="image")]
    assert ask(app, path, "q=dog" if path == "/api/search" else "", headers=headers).status == 403
    assert library.searches == []


@pytest.mark.parametrize(("path", "status"), [("/api/docs", 200), ("/nowhere", 404), ("/healthz", 200)])
def test_a_link_to_the_page_can_be_followed(app: Starlette, path: str, status: int):
    visit = fields(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document")
    assert ask(app, path, headers=[LOCALHOST, *visit]).status == status
    framed = fields(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="iframe")
    assert ask(app, path, headers=[LOCALHOST, *framed]).status == 403


@pytest.mark.parametrize("path", ["/api/search", "/knn-service"])
def test_a_link_or_a_form_leads_nowhere_else(app: Starlette, path: str):
    visit = fields(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document")
    assert ask(app, path, "q=dog", headers=[LOCALHOST, *visit]).status == 403
    assert ask(app, "/", method="POST", headers=[LOCALHOST, *visit]).status == 403


def test_a_preflight_is_answered_for_allowed_origins_only(app: Starlette):
    asked = fields(access_control_request_method="POST", access_control_request_headers="content-type")
    preflight = ask(
        app, "/api/search", method="OPTIONS", headers=[LOCALHOST, *fields(origin=ALLOWED), *asked]
    )
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (200, ALLOWED)
    other = [LOCALHOST, *fields(origin="https://b.example"), *asked]
    assert ask(app, "/api/search", method="OPTIONS", headers=other).status == 403


def test_two_origins_must_both_be_trusted(app: Starlette):
    both = [LOCALHOST, JSON, *fields(origin=OWN), *fields(origin="https://evil.example")]
    assert ask(app, "/api/search", method="POST", headers=both, body=QUESTION).status == 403
