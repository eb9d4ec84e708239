"""The library over HTTP: its folders, and other libraries; what only this machine may change."""

import pytest
from starlette.testclient import TestClient

from snapseek.library import source_states
from snapseek.library.recent import remember_library
from snapseek.library.source_states import path_id
from snapseek.server import create_app
from snapseek.server.host_guard import LOOPBACK_HOSTS
from tests.server.api.test_upgrade_jobs import PEER, TOKEN, RecordedJobs
from tests.support.fake_library import FakeLibrary

LOCAL = "http://127.0.0.1:8000"


class RecordedServers:
    """Records which libraries would be served."""

    def __init__(self):
        self.opened = []

    def address_of(self, library):
        self.opened.append(library)
        return "http://127.0.0.1:8017/"


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config"))
    return FakeLibrary(tmp_path)


@pytest.fixture
def jobs():
    return RecordedJobs()


@pytest.fixture
def servers():
    return RecordedServers()


@pytest.fixture
def client(library, jobs, servers):
    app = create_app(library, allowed_hosts=LOOPBACK_HOSTS, jobs=jobs, servers=servers)
    return TestClient(app, LOCAL, client=PEER)


@pytest.fixture
def changes(library, tmp_path):
    """The bodies that only this machine may send."""
    first, second = (source.path for source in library.sources().sources)
    return [
        {"kind": "add", "path": str(tmp_path)},
        {"kind": "remove", "source": path_id(first)},
        {"kind": "sync", "accept_missing": path_id(second)},
    ]


def test_the_folders_of_the_library(client, library):
    found = client.get("/api/library").json()
    folder = library.paths[0].parent
    assert (found["path"], found["size_bytes"]) == (str(folder), 12345)
    assert (found["may_sync"], found["may_edit"]) == (True, True)
    assert [(source["path"], source["state"], source["pictures"]) for source in found["sources"]] == [
        (str(folder), "ready", 10),
        (str(folder / "disk"), "missing", 3),
    ]
    assert [(gone["path"], gone["pictures"]) for gone in found["missing"]] == [(str(folder / "disk"), 3)]
    assert found["skipped"] == [{"path": str(folder / "a.cr2"), "kind": "raw"}]
    assert found["last_sync"] == "2025-01-02T00:00:00+00:00"


def test_another_machine_sees_names_only(library, jobs, servers):
    app = create_app(library, allowed_hosts=None, token=TOKEN, jobs=jobs, servers=servers)
    client = TestClient(app, "http://pictures.example", headers={"authorization": f"Bearer {TOKEN}"})
    answer = client.get("/api/library")
    assert (answer.json()["may_sync"], answer.json()["may_edit"]) == (True, False)
    assert str(library.paths[0].parent.parent) not in answer.text
    assert client.get("/api/libraries").json() == {"libraries": [], "may_open": False}


def test_folders_are_added_removed_and_confirmed(client, jobs, library, changes, tmp_path):
    for body in changes:
        assert client.post("/api/jobs", json=body).status_code == 202
    first, second = (str(source.path) for source in library.sources().sources)
    library_path = str(library.info().path)
    assert jobs.started == [
        ["add", "--progress", "json", "--library", library_path, "--allow-urls", "--", str(tmp_path)],
        ["remove", "--library", library_path, "--", first],
        [
            *("sync", "--progress", "json", "--library", library_path, "--allow-urls"),
            f"--accept-missing={second}",
        ],
    ]


def test_the_token_does_not_add_or_remove(library, jobs, servers, changes):
    app = create_app(library, allowed_hosts=None, token=TOKEN, jobs=jobs, servers=servers)
    client = TestClient(app, "http://pictures.example", headers={"authorization": f"Bearer {TOKEN}"})
    for body in changes:
        assert client.post("/api/jobs", json=body).status_code == 403
    assert client.post("/api/libraries", json={"id": path_id(library.info().path)}).status_code == 403
    assert jobs.started == servers.opened == []
    assert client.post("/api/jobs", json={"kind": "sync"}).status_code == 202


@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        ({"origin": "https://stranger.example"}, PEER),
        ({"origin": "null"}, PEER),
        ({"sec-fetch-site": "cross-site"}, PEER),
        ({"x-forwarded-for": "203.0.113.7"}, PEER),
        ({"host": "pictures.example"}, PEER),
        ({}, ("192.0.2.7", 50000)),
    ],
    ids=str,
)
def test_others_change_nothing(library, jobs, servers, changes, headers, peer):
    app = create_app(
        library,
        allowed_hosts=LOOPBACK_HOSTS,
        allowed_origins=["https://stranger.example"],
        jobs=jobs,
        servers=servers,
    )
    client = TestClient(app, LOCAL, client=peer)
    for body in changes:
        assert client.post("/api/jobs", json=body, headers=headers).status_code in (403, 421)
    answer = client.post("/api/libraries", json={"id": "0" * 16}, headers=headers)
    assert answer.status_code in (403, 421)
    assert jobs.started == servers.opened == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "remove", "source": "0" * 16}, 404),
        ({"kind": "remove", "source": ""}, 404),
        ({"kind": "remove", "source": "/etc"}, 404),
        ({"kind": "remove"}, 400),
        ({"kind": "remove", "source": 1}, 400),
        ({"kind": "sync", "accept_missing": "0" * 16}, 404),
        ({"kind": "sync", "accept_missing": ["/"]}, 400),
        ({"kind": "add"}, 400),
        ({"kind": "add", "path": ""}, 400),
        ({"kind": "add", "path": "relative"}, 400),
        ({"kind": "add", "path": "/does not exist"}, 400),
        ({"kind": "add", "path": __file__}, 400),
        ({"kind": "add", "path": "https://pictures.example/list.txt"}, 400),
        ({"kind": "add", "path": "/\0"}, 400),
        ({"kind": "add", "path": "/" * 5000}, 400),
        ({"kind": "add", "path": "~nobody-of-this-name/x"}, 400),
        ({"kind": "add", "path": "/", "source": "0"}, 400),
    ],
    ids=str,
)
def test_unknown_ids_and_paths_start_nothing(client, jobs, body, status):
    answer = client.post("/api/jobs", json=body)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith("expected")
    assert jobs.started == []


def test_only_a_folder_without_files_can_be_accepted(client, jobs, library):
    (ready, _) = library.sources().sources
    body = {"kind": "sync", "accept_missing": path_id(ready.path)}
    assert client.post("/api/jobs", json=body).status_code == 404
    assert jobs.started == []


def test_a_remembered_library_is_served(client, servers, library, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "library.db").touch()
    remember_library(other)
    (listed,) = client.get("/api/libraries").json()["libraries"]
    assert (listed["path"], listed["pictures"], listed["is_current"]) == (str(other), None, False)
    answer = client.post("/api/libraries", json={"id": listed["id"]})
    assert answer.json() == {"url": "http://127.0.0.1:8017/"}
    by_name = client.post(
        "/api/libraries", json={"id": listed["id"]}, headers={"host": "localhost:8000"}
    ).json()
    assert by_name == {"url": "http://localhost:8017/"}
    assert servers.opened == [other, other]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"id": "0" * 16}, 404),
        ({}, 400),
        ({"id": 7}, 400),
        ({"path": "/"}, 400),
        ({"id": "a", "path": "/"}, 400),
    ],
    ids=str,
)
def test_only_remembered_libraries_are_served(client, servers, tmp_path, body, status):
    assert client.post("/api/libraries", json=body).status_code == status
    assert client.post("/api/libraries", json={"id": path_id(tmp_path)}).status_code == 404
    assert servers.opened == []


def test_a_server_that_opens_nothing_says_so(library):
    client = TestClient(create_app(library), LOCAL, client=PEER)
    assert client.get("/api/libraries").json() == {"libraries": [], "may_open": False}
    assert client.post("/api/libraries", json={"id": "0" * 16}).status_code == 404
    assert client.get("/api/library").json()["may_edit"] is False


def test_the_id_of_a_path_that_is_not_unicode(tmp_path):
    assert len(source_states.path_id(tmp_path / "\udcff")) == 16
