"""docs/HTTP.md is executed: every example is requested, every table and header is compared."""

import json
import re
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from snapseek.server import create_app
from snapseek.server.api import responses
from snapseek.server.api.openapi import openapi
from snapseek.server.headers import SECURITY_HEADERS
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.fake_library import FakeLibrary

TEXT = (Path(__file__).parents[2] / "docs" / "HTTP.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```http\nGET (\S+)\n```(?:\n```json\n(.*?)```)?", TEXT, re.DOTALL)
HEADER_BLOCKS = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
# What no two machines have in common: the version, and how Pillow packs a picture.
VARIABLE = {"snapseek", "size_bytes", "path"}
PATH_ID = re.compile(r"[0-9a-f]{16}")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Starlette:
    ticks = count()
    monkeypatch.setattr(responses, "perf_counter", lambda: next(ticks) / 10_000)  # writing takes 0.1 ms
    return create_app(FakeLibrary(tmp_path))


def comparable(value: Any) -> Any:
    """`value` with the type in the place of what varies."""
    if isinstance(value, dict):
        return {
            key: type(inner).__name__ if key in VARIABLE else comparable(inner)
            for key, inner in value.items()
        }
    if isinstance(value, str) and PATH_ID.fullmatch(value):
        return "the id of a path"
    return [comparable(inner) for inner in value] if isinstance(value, list) else value


def test_the_page_has_its_examples():
    assert len(EXAMPLES) == TEXT.count("```http") == 29


@pytest.mark.parametrize(("target", "shown"), EXAMPLES, ids=[target for target, _ in EXAMPLES])
def test_an_example_gets_the_documented_response(app: Starlette, target: str, shown: str):
    path, _, query = target.partition("?")
    reply = ask(app, path, query)
    if not shown:
        assert reply.status == 200
        return
    expected = json.loads(shown)
    assert reply.status == (expected["status"] if "title" in expected else 200)
    assert comparable(reply.json()) == comparable(expected)
    assert list(reply.json()) == list(expected)


def test_every_endpoint_is_in_the_table_and_has_an_example():
    table = re.findall(r"^\| `(/[^`]*)` \|", TEXT, re.MULTILINE)
    paths = list(openapi("0")["paths"])  # type: ignore[call-overload]
    assert table == paths
    requested = {re.sub(r"/\d+", "/{id}", target.partition("?")[0]) for target, _ in EXAMPLES}
    posted = {path for path, item in openapi("0")["paths"].items() if "get" not in item}  # type: ignore[attr-defined]
    assert requested | {"/api/openapi.json"} | posted == set(paths)


def test_the_parameters_are_documented():
    named = re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)
    document: Any = openapi("0")["paths"]
    described = [
        entry["name"]
        for path in ("/api/search", "/api/image/{id}")
        for entry in document[path]["get"]["parameters"]
        if entry["in"] == "query"
    ]
    assert named == described


def test_the_timing_header_is_as_documented(app: Starlette):
    assert (
        f"Server-Timing: {ask(app, '/api/search', 'q=two+dogs').headers['server-timing']}\n" in HEADER_BLOCKS
    )


def test_the_security_headers_are_as_documented():
    shown = dict(line.split(": ", 1) for line in HEADER_BLOCKS[-1].splitlines())
    assert {name.lower(): value for name, value in shown.items()} == SECURITY_HEADERS


@pytest.mark.parametrize(
    ("path", "query", "method", "host", "status"),
    [
        ("/api/search", "q=unknown+words", "GET", b"localhost", 400),
        ("/api/nowhere", "", "GET", b"localhost", 404),
        ("/api/items", "", "POST", b"localhost", 405),
        ("/api/search", "q=other+model", "GET", b"localhost", 409),
        ("/api/image/7", "", "GET", b"localhost", 415),
        ("/api/search", "q=dog", "GET", b"other.example", 421),
        ("/api/search", "q=damage", "GET", b"localhost", 500),
        ("/", "", "GET", b"localhost", 503),
    ],
)
def test_a_documented_status_occurs(
    tmp_path: Path, path: str, query: str, method: str, host: bytes, status: int
):
    app = create_app(FakeLibrary(tmp_path), page_directory=tmp_path / "nothing")
    assert ask(app, path, query, method=method, headers=[(b"host", host)]).status == status
    assert f"\n| {status} | " in TEXT


def test_a_range_after_the_end_is_documented(app: Starlette):
    assert ask(app, "/api/image/1", headers=[LOCALHOST, (b"range", b"bytes=9999999-")]).status == 416
    assert "\n| 416 | " in TEXT
