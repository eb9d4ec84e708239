"""The endpoints of the API: which search each request starts, and its response."""

import threading
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from snapseek.server import create_app
from tests.support.asgi_client import ask
from tests.support.fake_library import FakeLibrary


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


@pytest.fixture
def app(library: FakeLibrary) -> Starlette:
    return create_app(library)


def test_words_are_searched(app: Starlette, library: FakeLibrary):
    body = ask(app, "/api/search", "q=+two%20dogs+&limit=2&offset=1").json()
    assert library.searches == [("two dogs", 2, 1)]
    assert body["query"] == "two dogs"
    assert [entry["id"] for entry in body["results"]] == [2, 3]


def test_terms_are_searched_and_the_query_is_returned_as_typed(app: Starlette, library: FakeLibrary):
    body = ask(app, "/api/search", "q=horse+%2B+%22stripes%22+-2%3Asnow&limit=1").json()
    assert library.searches == [("horse + stripes - 2:snow", 1, 0)]
    assert body["query"] == 'horse + "stripes" -2:snow'


@pytest.mark.parametrize("query", ["q=id:x", "q=image:/etc/hostname", "q=horse+-+-+snow+%2B"])
def test_a_malformed_query_is_rejected(app: Starlette, library: FakeLibrary, query: str):
    reply = ask(app, "/api/search", query)
    assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json")
    assert library.searches == []


def test_a_query_by_an_unknown_id_is_a_404(app: Starlette):
    reply = ask(app, "/api/search", "q=dog+%2B+id:99")
    assert reply.status == 404
    assert "got 99" in reply.json()["detail"]


def test_the_default_limit_is_sixty(app: Starlette, library: FakeLibrary):
    ask(app, "/api/search", "q=dog")
    assert library.searches == [("dog", 60, 0)]


def test_every_script_can_be_searched(app: Starlette, library: FakeLibrary):
    assert ask(app, "/api/search", "q=%E7%8C%AB%20%F0%9F%90%88").json()["query"] == "猫 🐈"


def test_the_stored_order_can_be_paged(app: Starlette):
    body = ask(app, "/api/items", "limit=3&offset=8").json()
    assert body["query"] is None
    assert [entry["id"] for entry in body["results"]] == [9, 10]
    assert body["total"] == 10


def test_named_pictures_come_in_order_without_missing_ones(app: Starlette):
    body = ask(app, "/api/items", "ids=7,99,2,7&include=caption").json()
    assert [entry["id"] for entry in body["results"]] == [7, 2]
    assert body["total"] == 2
    assert "preview" not in body["results"][0]


@pytest.mark.parametrize("query", ["ids=", "ids=1,x", "ids=1&limit=2", "ids=1&where=type:png", "ids=1&ids=2"])
def test_ids_that_are_malformed_or_combined_are_rejected(app: Starlette, query: str):
    assert ask(app, "/api/items", query).status == 400


def test_a_page_after_the_end_is_empty(app: Starlette):
    assert ask(app, "/api/items", "offset=900&limit=10").json()["results"] == []


def test_a_single_entry_equals_the_entry_in_a_list(app: Starlette):
    listed = ask(app, "/api/items").json()["results"]
    assert ask(app, "/api/items/3").json() == listed[2]


def test_info_has_examples(app: Starlette, library: FakeLibrary):
    assert ask(app, "/api/info").json()["examples"] == ["a dog", "two boats"]
    library.encoder.examples = ()
    assert ask(app, "/api/info").json()["examples"] == []


def test_healthz_does_not_depend_on_the_library(app: Starlette, library: FakeLibrary):
    library.paths.clear()
    assert ask(app, "/healthz", "probe=1").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "path", ["/api/items/99", "/api/image/99", "/api/items/-1", "/api/image/9223372036854775807"]
)
def test_an_unknown_id_is_a_404(app: Starlette, path: str):
    reply = ask(app, path)
    assert reply.status == 404
    assert "expected the id of a picture" in reply.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/api/items/x", "/api/image/1.0", "/api/items/9223372036854775808", "/api/image/٣"]
)
def test_a_malformed_id_is_rejected(app: Starlette, path: str):
    reply = ask(app, path)
    assert reply.status == 400
    assert "64-bit integer" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/search", "q=dog&limt=3"),
        ("/api/search", "q=dog&q=cat"),
        ("/api/items", "q=dog"),
        ("/api/items/1", "w=100"),
        ("/api/image/1", "width=100"),
        ("/api/info", "x"),
        ("/api/openapi.json", "x="),
    ],
)
def test_unknown_and_repeated_parameters_are_rejected(app: Starlette, path: str, query: str):
    assert ask(app, path, query).status == 400


def test_a_real_http_client(app: Starlette):
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        answer = client.get("/api/search", params={"q": "zwei Hunde", "limit": 1})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert client.get(answer.json()["results"][0]["url"]).headers["content-type"] == "image/jpeg"
        assert client.head("/api/search", params={"q": "dog"}).status_code == 200


def test_a_slow_search_does_not_block_other_requests(library: FakeLibrary):
    release = threading.Event()
    library.before_search = lambda: release.wait(10)
    with TestClient(create_app(library), base_url="http://localhost") as client:
        slow = threading.Thread(target=client.get, args=("/api/search?q=slow",))
        slow.start()
        try:
            assert client.get("/healthz").status_code == 200
            assert slow.is_alive()
        finally:
            release.set()
            slow.join()


def test_nothing_is_searched_for_a_disconnected_client(app: Starlette, library: FakeLibrary):
    assert ask(app, "/api/search", "q=dog", gone=True).status == 499
    assert library.searches == []
