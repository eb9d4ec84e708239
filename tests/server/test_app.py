"""snapseek.server.app: the whole application, above all where a request goes wrong."""

import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from snapseek.server import create_app
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.fake_library import FakeLibrary


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    return create_app(FakeLibrary(tmp_path), page_directory=tmp_path)


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        ("unknown+words", 400, "the model knows no word in 'unknown words'; try other words"),
        ("other+model", 409, "the library was made by another model"),
        ("damage", 500, "shards/0.snap is damaged; index the folder again"),
        ("defect", 500, "something failed inside the server; its log has the details"),
    ],
)
def test_an_error_of_the_library_is_told_in_its_own_words(
    app: Starlette, words: str, status: int, sentence: str
):
    reply = ask(app, "/api/search", "q=" + words)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["detail"] == sentence
    assert b"Traceback" not in reply.body


def test_a_failure_of_the_library_is_logged_and_a_refusal_is_not(
    app: Starlette, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, logger="snapseek"):
        ask(app, "/api/search", "q=other+model")
        assert caplog.records == []
        ask(app, "/api/search", "q=damage")
    assert [record.getMessage() for record in caplog.records] == ["GET /api/search failed"]
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "X" * 100]
)
@pytest.mark.parametrize(
    "path", ["/", "/api/items", "/api/items/1", "/api/image/1", "/healthz", "/assets/a.js"]
)
def test_only_reading_is_answered(app: Starlette, method: str, path: str):
    reply = ask(app, path, method=method)
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD"
    assert "only GET and HEAD" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/api/search", "GET, HEAD, POST"), ("/knn-service", "POST"), ("/metadata", "POST")],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "X" * 100])
def test_where_a_body_is_taken_nothing_else_is(app: Starlette, method: str, path: str, allowed: str):
    reply = ask(app, path, method=method)
    assert (reply.status, reply.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/search/", "/api/items/", "/api/image/1/x", "/API/info", "//", ""]
)
def test_an_unknown_address_is_a_problem(app: Starlette, path: str):
    reply = ask(app, path)
    assert reply.status == 404
    assert reply.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is nothing at this address; /api/openapi.json lists what there is",
    }


@pytest.mark.parametrize(
    "query",
    [
        b"q=%",
        b"q=%zz",
        b"q=%ff%fe",
        b"q=\xff\xfe",
        b"q=a%00",
        b"%00=1",
        b"&&&===",
        b"q",
        b"q=" + b"%F0%9F%90%88" * 1000,
    ],
)
def test_a_malformed_query_string_is_never_the_servers_fault(app: Starlette, query: bytes):
    assert ask(app, "/api/search", query).status in (200, 400)


@pytest.mark.parametrize(
    "field", [b"if-none-match", b"range", b"if-range", b"accept", b"cookie", b"if-modified-since"]
)
@pytest.mark.parametrize("value", [b"", b"\xff" * 100, b"a" * 100_000, b'"', b"bytes=1-2,", b"\0"])
def test_malformed_headers_are_never_the_servers_fault(app: Starlette, field: bytes, value: bytes):
    for path in ("/api/image/1", "/"):
        assert ask(app, path, headers=[LOCALHOST, (field, value)]).status in (200, 206, 304, 404, 416, 503)


addresses = st.sampled_from(
    ["/", "/api/search", "/api/items", "/api/items/", "/api/image/", "/assets/", "/api/"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=addresses,
    rest=st.text(max_size=20) | st.integers().map(str),
    query=st.binary(max_size=40)
    | st.sampled_from([b"q=", b"w=", b"limit="]).flatmap(
        lambda name: st.binary(max_size=12).map(lambda value: name + value)
    ),
)
def test_no_request_is_answered_with_a_server_error(app: Starlette, start: str, rest: str, query: bytes):
    reply = ask(app, start + rest, query)
    assert reply.status < 500 or (reply.status == 503 and b"not built" in reply.body)


def test_a_websocket_is_closed(app: Starlette):
    from starlette.testclient import TestClient
    from starlette.websockets import WebSocketDisconnect

    with TestClient(app, base_url="http://localhost") as client, pytest.raises(WebSocketDisconnect):
        client.websocket_connect("/api/search").__enter__()
