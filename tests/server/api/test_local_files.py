"""Paths and the file manager are for the user of this machine alone."""

import pytest
from starlette.testclient import TestClient

from snapseek.server import create_app
from snapseek.server.api import local_files
from snapseek.server.host_guard import LOOPBACK_HOSTS
from tests.support.fake_library import FakeLibrary

HOME = "http://127.0.0.1:8000"
LOOPBACK = ("127.0.0.1", 50000)
ENDPOINTS = [("GET", "/api/paths?ids=1"), ("POST", "/api/reveal")]


@pytest.fixture
def revealed(monkeypatch):
    paths = []
    monkeypatch.setattr(local_files, "reveal", paths.append)
    monkeypatch.setattr(local_files, "can_reveal", lambda: True)
    return paths


@pytest.fixture
def library(tmp_path):
    return FakeLibrary(tmp_path)


@pytest.fixture
def client(library):
    return TestClient(create_app(library, allowed_hosts=LOOPBACK_HOSTS), HOME, client=LOOPBACK)


def send(client, method, target, **headers):
    body = {"json": {"id": 1}} if method == "POST" else {}
    return client.request(method, target, headers=headers, **body)


def test_this_machine_gets_absolute_paths(client, library, revealed):
    answer = client.get("/api/paths?ids=2,1,999").json()
    assert answer == {
        "paths": [
            {"id": 2, "path": str(library.paths[1])},
            {"id": 1, "path": str(library.paths[0])},
            {"id": 999, "path": None},
        ],
        "can_reveal": True,
    }


def test_this_machine_reveals_a_picture(client, library, revealed):
    answer = client.post("/api/reveal", json={"id": 2})
    assert answer.status_code == 200
    assert revealed == [library.paths[1]]


@pytest.mark.parametrize(("method", "target"), ENDPOINTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"via": "1.1 proxy"},
    ],
    ids=str,
)
def test_other_pages_and_proxies_are_refused(client, revealed, method, target, headers):
    assert send(client, method, target, **headers).status_code == 403
    assert revealed == []


@pytest.mark.parametrize(("method", "target"), ENDPOINTS)
def test_other_machines_are_refused_with_the_token_too(library, revealed, method, target):
    app = create_app(library, allowed_hosts=None, token="a token of many characters")
    bearer = {"authorization": "Bearer a token of many characters"}
    far = TestClient(app, "http://pictures.example", client=("192.0.2.7", 50000))
    assert send(far, method, target, **bearer).status_code == 403
    by_name = TestClient(app, "http://pictures.example", client=LOOPBACK)
    assert send(by_name, method, target, **bearer).status_code == 403
    assert revealed == []


@pytest.mark.parametrize(("method", "target"), ENDPOINTS)
def test_a_page_that_may_search_may_not_reveal(library, revealed, method, target):
    app = create_app(library, allowed_hosts=LOOPBACK_HOSTS, allowed_origins=["https://friend.example"])
    friend = TestClient(app, HOME, client=LOOPBACK)
    assert send(friend, method, target, origin="https://friend.example").status_code == 403
    assert revealed == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_reveals_nothing(client, revealed, kind):
    answer = client.post("/api/reveal", content=b'{"id": 1}', headers={"content-type": kind})
    assert answer.status_code == 415
    assert revealed == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"id": "1"}, 400),
        ({"id": 1.5}, 400),
        ({"id": True}, 400),
        ({"id": [1]}, 400),
        ({"id": 2**70}, 400),
        ({"path": "/etc/passwd"}, 400),
        ({"id": 1, "path": "/etc/passwd"}, 400),
        ({"id": 999}, 404),
        ({"id": -1}, 404),
    ],
    ids=str,
)
def test_only_known_ids_are_revealed(client, revealed, body, status):
    assert client.post("/api/reveal", json=body).status_code == status
    assert revealed == []


def test_a_missing_original_is_not_revealed(client, library, revealed):
    library.paths[0].unlink()
    assert client.post("/api/reveal", json={"id": 1}).status_code == 404
    assert revealed == []


def test_a_machine_without_a_desktop_says_so(client, monkeypatch):
    monkeypatch.setattr(local_files, "can_reveal", lambda: False)
    answer = client.post("/api/reveal", json={"id": 1})
    assert answer.status_code == 501
    assert "file manager" in answer.json()["detail"]


@pytest.mark.parametrize("query", ["", "ids=", "ids=a", "ids=1&path=/etc", "path=/etc/passwd"])
def test_paths_need_ids_alone(client, query):
    assert client.get(f"/api/paths?{query}").status_code == 400
