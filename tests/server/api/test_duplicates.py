"""The review of near-duplicates over HTTP: pages, computed once for each state."""

import threading

import pytest
from starlette.testclient import TestClient

from snapseek.library import DuplicateGroup, DuplicateReview
from snapseek.server import create_app
from tests.support.fake_library import FakeLibrary

HERE = "http://127.0.0.1:8000"
REVIEW = DuplicateReview(tuple(DuplicateGroup(1 + n, (2 + n,), 1000 - n) for n in range(5)), 10)


@pytest.fixture
def library(tmp_path, monkeypatch):
    library = FakeLibrary(tmp_path)
    library.reviews = []

    def duplicates(where=None):
        library.reviews.append(where)
        return REVIEW

    monkeypatch.setattr(library, "duplicates", duplicates)
    return library


@pytest.fixture
def client(library):
    return TestClient(create_app(library), HERE)


def test_pages_continue_each_other_and_are_computed_once(client, library):
    whole = client.get("/api/duplicates").json()
    assert (whole["total"], whole["compared"], whole["others"]) == (5, 10, 5)
    assert whole["free_bytes"] == sum(group.free_bytes for group in REVIEW.groups)
    assert [group["ids"] for group in whole["groups"]] == [[1 + n, 2 + n] for n in range(5)]
    assert [result["id"] for result in whole["groups"][0]["results"]] == [1, 2]
    first = client.get("/api/duplicates?limit=2").json()["groups"]
    later = client.get("/api/duplicates?limit=50&offset=2").json()["groups"]
    assert first + later == whole["groups"]
    assert client.get("/api/duplicates?offset=99").json()["groups"] == []
    assert library.reviews == [None]


def test_another_filter_is_another_review(client, library):
    client.get("/api/duplicates?where=in:a")
    client.get("/api/duplicates?where=in:b")
    client.get("/api/duplicates?where=in:b")
    assert library.reviews == ["in:a", "in:b"]


@pytest.mark.parametrize("query", ["limit=0", "limit=51", "limit=x", "offset=-1", "offset=1e3", "page=2"])
def test_impossible_pages_are_refused(client, library, query):
    assert client.get(f"/api/duplicates?{query}").status_code == 400
    assert library.reviews == []


def test_one_review_is_computed_at_a_time(client, library, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def slow(where=None):
        begun.set()
        assert go_on.wait(60)
        return REVIEW

    monkeypatch.setattr(library, "duplicates", slow)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(client.get("/api/duplicates").status_code))
    waiting.start()
    assert begun.wait(60)
    busy = client.get("/api/duplicates")
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "2")
    go_on.set()
    waiting.join(60)
    assert answers == [200]
    assert client.get("/api/duplicates").status_code == 200
