"""Taught words over HTTP: who may change them, and what is refused."""

import shutil

import pytest
from starlette.testclient import TestClient

from snapseek.library import Library
from snapseek.library.storage.shard_files import exclusive_writer
from snapseek.server import create_app
from snapseek.server.api.parameters import MAX_IDS
from snapseek.server.host_guard import LOOPBACK_HOSTS

TOKEN = "a token of many characters"
HERE = "http://127.0.0.1:8000"
CHANGES = [
    ("/api/concepts", {"name": "dot", "examples": [1]}),
    ("/api/concepts/rename", {"name": "rex", "new_name": "dot"}),
    ("/api/concepts/delete", {"name": "rex"}),
]


@pytest.fixture
def own(library, tmp_path, encoder):
    """A library with a taught word, which the test may change."""
    shutil.copytree(library.info().path, tmp_path / "l")
    own = Library.open(tmp_path / "l", encoder=encoder)
    own.teach("rex", [1, 2], [3])
    return own


@pytest.fixture
def client(own):
    return TestClient(create_app(own, allowed_hosts=LOOPBACK_HOSTS), HERE)


def listed(client):
    return [concept["name"] for concept in client.get("/api/concepts").json()["concepts"]]


def test_a_word_is_taught_listed_renamed_and_forgotten(client, own):
    before = own.version
    taught = client.post("/api/concepts", json={"name": "Dot", "examples": [4], "counterexamples": [5]})
    assert (taught.status_code, taught.json()) == (
        200,
        {"name": "Dot", "examples": [4], "counterexamples": [5]},
    )
    assert own.version != before
    again = client.post("/api/concepts", json={"name": "dot", "examples": [6], "unmark": [5]})
    assert again.json() == {"name": "Dot", "examples": [4, 6], "counterexamples": []}
    assert client.get("/api/concepts").json()["may_teach"]
    assert listed(client) == ["Dot", "rex"]
    renamed = client.post("/api/concepts/rename", json={"name": "dot", "new_name": "our house"})
    assert renamed.json()["name"] == "our house"
    assert client.post("/api/concepts/delete", json={"name": "rex"}).json()["concepts"][0]["examples"] == [
        4,
        6,
    ]
    assert listed(client) == ["our house"]
    found = client.get("/api/search", params={"q": 'is:"our house"'}).json()
    assert {result["id"] for result in found["results"]} >= {4, 6}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/concepts", {}),
        ("/api/concepts", {"name": "dot"}),
        ("/api/concepts", {"name": 5, "examples": [1]}),
        ("/api/concepts", {"name": "a:b", "examples": [1]}),
        ("/api/concepts", {"name": "x" * 61, "examples": [1]}),
        ("/api/concepts", {"name": "dot", "examples": ["1"]}),
        ("/api/concepts", {"name": "dot", "examples": 1}),
        ("/api/concepts", {"name": "dot", "examples": [1.5]}),
        ("/api/concepts", {"name": "dot", "examples": [2**63]}),
        ("/api/concepts", {"name": "dot", "examples": [1] * (MAX_IDS + 1)}),
        ("/api/concepts", {"name": "dot", "examples": [1], "counterexamples": [1]}),
        ("/api/concepts", {"name": "dot", "examples": [1], "path": "/"}),
        ("/api/concepts/rename", {"name": "rex"}),
        ("/api/concepts/rename", {"name": "rex", "new_name": ""}),
        ("/api/concepts/rename", {"name": "none", "new_name": "dot"}),
        ("/api/concepts/delete", {"name": "none"}),
        ("/api/concepts/delete", {"names": ["rex"]}),
    ],
    ids=str,
)
def test_anything_else_is_refused_and_changes_nothing(client, own, path, body):
    before = own.version
    answer = client.post(path, json=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert own.version == before


def test_an_unknown_picture_is_not_found(client, own):
    assert client.post("/api/concepts", json={"name": "dot", "examples": [999]}).status_code == 404
    assert listed(client) == ["rex"]


@pytest.mark.parametrize(("path", "body"), CHANGES, ids=str)
def test_only_the_own_page_on_this_machine_changes_words(own, path, body):
    before = own.version
    friend = TestClient(create_app(own, allowed_origins=["https://friend.example"]), HERE)
    origin = {"origin": "https://friend.example"}
    assert friend.post(path, json=body, headers=origin).status_code == 403
    remote = TestClient(create_app(own, allowed_hosts=None, token=TOKEN), "http://photos.example")
    token = {"authorization": f"Bearer {TOKEN}"}
    assert remote.post(path, json=body, headers=token).status_code == 403
    assert not remote.get("/api/concepts", headers=token).json()["may_teach"]
    forwarded = TestClient(create_app(own, trusted_proxies=["127.0.0.1"]), HERE)
    assert forwarded.post(path, json=body).status_code == 403
    assert own.version == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_changes_nothing(client, own, kind):
    before = own.version
    for path, _ in CHANGES:
        answer = client.post(path, content=b'{"name": "rex"}', headers={"content-type": kind})
        assert answer.status_code == 415
    assert own.version == before


def test_while_a_job_writes_the_answer_is_to_try_again(client, own, monkeypatch):
    monkeypatch.setattr("snapseek.library.storage.database.BUSY_TIMEOUT_S", 0.05)
    with exclusive_writer(own.info().path):
        answer = client.post("/api/concepts", json={"name": "dot", "examples": [1]})
    assert (answer.status_code, answer.json()["code"]) == (503, "library_busy")
    assert int(answer.headers["retry-after"]) > 0


def test_a_changed_word_changes_the_entity_tag(client):
    tag = client.get("/api/search?q=rex").headers["etag"]
    assert client.get("/api/search?q=rex", headers={"if-none-match": tag}).status_code == 304
    client.post("/api/concepts", json={"name": "rex", "counterexamples": [2]})
    assert client.get("/api/search?q=rex", headers={"if-none-match": tag}).status_code == 200
