"""Values of columns, months and deep pages over HTTP."""

import pytest
from starlette.testclient import TestClient

from snapseek.server import create_app
from snapseek.server.host_guard import LOOPBACK_HOSTS
from tests.support.dated_library import ROWS, dated_library
from tests.support.fake_library import FakeLibrary


@pytest.fixture(scope="module")
def dated(tmp_path_factory, encoder):
    return dated_library(tmp_path_factory.mktemp("overview"), encoder)[0]


@pytest.fixture
def client(dated):
    return TestClient(create_app(dated, allowed_hosts=LOOPBACK_HOSTS), "http://127.0.0.1:8000")


def test_values_come_page_by_page(client):
    first = client.get("/api/facets?column=folder&limit=5").json()
    second = client.get("/api/facets?column=folder&limit=5&offset=5").json()
    assert first["total"] == second["total"] == 16
    assert len({entry["value"] for entry in first["values"] + second["values"]}) == 10


def test_folders_have_their_subfolders(client):
    (top,) = client.get("/api/facets?column=folder&within=").json()["values"]
    assert (top["count"], top["folders"]) == (ROWS, 4)
    inside = client.get("/api/facets", params={"column": "folder", "within": "archive/1"}).json()
    assert inside["total"] == len(inside["values"]) == 5


def test_a_month_is_reached_without_what_comes_before(client):
    months = client.get("/api/timeline").json()["months"]
    middle = months[len(months) // 2]
    page = client.get(f"/api/items?sort=newest&limit=1&offset={middle['offset']}").json()
    assert page["results"][0]["meta"]["taken"][:7] == middle["month"]
    assert page["total"] == ROWS


def test_lists_go_on_to_the_last_picture_and_end(client):
    last = client.get(f"/api/items?sort=oldest&offset={ROWS - 1}").json()
    assert len(last["results"]) == 1
    assert client.get("/api/items?sort=oldest&offset=1000000000").json()["results"] == []
    assert client.get("/api/search?q=x&offset=1000").status_code == 400


@pytest.mark.parametrize(
    "target",
    [
        "/api/facets",
        "/api/facets?column=nothing",
        "/api/facets?column=uri",
        "/api/facets?column=folder&limit=0",
        "/api/facets?column=folder&limit=1001",
        "/api/facets?column=folder&offset=-1",
        "/api/facets?column=folder&limit=abc",
        f"/api/facets?column=folder&contains={'x' * 1001}",
        "/api/facets?column=folder&where=nonsense",
        "/api/facets?column=folder&other=1",
        "/api/timeline?sort=size",
        "/api/timeline?where=year:abc",
        "/api/items?offset=1000000001",
        "/api/items?offset=-1",
    ],
)
def test_wrong_parameters_are_refused(client, target):
    answer = client.get(target)
    assert answer.status_code == 400
    assert answer.json()["expected"]


def test_the_parameters_reach_the_library(tmp_path):
    library = FakeLibrary(tmp_path)
    client = TestClient(create_app(library, allowed_hosts=LOOPBACK_HOSTS), "http://127.0.0.1:8000")
    client.get("/api/facets?column=folder&within=a/b&contains=c&where=year:2020&limit=7&offset=3")
    assert library.facet_page == {
        "where": "year:2020",
        "contains": "c",
        "within": "a/b",
        "limit": 7,
        "offset": 3,
    }
