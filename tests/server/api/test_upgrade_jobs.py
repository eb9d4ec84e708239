"""Jobs over HTTP: who may start a sync or an upgrade, and what an upgrade costs."""

import pytest
from starlette.testclient import TestClient

from snapseek.models.catalogue import RECOMMENDED
from snapseek.server import create_app
from snapseek.server.host_guard import LOOPBACK_HOSTS
from snapseek.server.jobs import DONE, UPGRADE, Job, JobRunner, _Pace

PEER = ("127.0.0.1", 50000)
TOKEN = "a token of many characters"
UPGRADE_BODY = {"kind": "upgrade", "model": "clip-vit-b-32-int8"}


class RecordedJobs(JobRunner):
    """Records what would be started."""

    def __init__(self):
        super().__init__(["--allow-urls"])
        self.started = []

    def start(self, kind, arguments):
        self.started.append(list(arguments))
        job = Job(len(self.started), kind)
        self._jobs.append(job)
        return job


@pytest.fixture
def jobs():
    return RecordedJobs()


@pytest.fixture
def client(library, jobs):
    return TestClient(
        create_app(library, allowed_hosts=LOOPBACK_HOSTS, jobs=jobs), "http://127.0.0.1:8000", client=PEER
    )


def test_a_local_client_starts_an_upgrade_once(client, jobs, library):
    answer = client.post("/api/jobs", json=UPGRADE_BODY)
    assert answer.status_code == 202
    assert (answer.json()["kind"], answer.json()["state"]) == ("upgrade", "waiting")
    path = str(library.info().path)
    common = ["--progress", "json", "--library", path, "--allow-urls"]
    assert jobs.started == [["upgrade", "--yes", *common, "--", "clip-vit-b-32-int8"]]
    assert client.post("/api/jobs", json={"kind": "upgrade"}).json()["id"] == answer.json()["id"]
    assert client.post("/api/jobs", json={"kind": "sync"}).status_code == 202
    assert jobs.started[1:] == [["sync", *common]]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "index"},
        {"kind": ["upgrade"]},
        {"kind": "upgrade", "model": "owner/name"},
        {"kind": "upgrade", "model": "--drop-imports"},
        {"kind": "upgrade", "model": "/tmp/model"},
        {"kind": "upgrade", "model": None},
        {"kind": "sync", "model": RECOMMENDED},
        {"kind": "sync", "library": "/"},
    ],
    ids=str,
)
def test_any_other_job_is_refused(client, jobs, body):
    assert client.post("/api/jobs", json=body).status_code == 400
    assert jobs.started == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/xml"])
def test_a_form_starts_nothing(client, jobs, kind):
    answer = client.post("/api/jobs", content=b'{"kind": "sync"}', headers={"content-type": kind})
    assert answer.status_code == 415
    assert jobs.started == []


def test_a_page_of_another_origin_starts_nothing(library, jobs):
    app = create_app(library, allowed_origins=["https://friend.example"], jobs=jobs)
    client = TestClient(app, "http://127.0.0.1:8000", client=PEER)
    for origin in ("https://friend.example", "https://stranger.example", "null"):
        answer = client.post("/api/jobs", json=UPGRADE_BODY, headers={"origin": origin})
        assert answer.status_code == 403
    own = client.post("/api/jobs", json=UPGRADE_BODY, headers={"origin": "http://127.0.0.1:8000"})
    assert own.status_code == 202
    assert len(jobs.started) == 1


def test_a_remote_client_needs_the_token(library, jobs):
    def post(app, **headers):
        return TestClient(app, "http://pictures.example").post(
            "/api/jobs", json=UPGRADE_BODY, headers=headers
        )

    assert post(create_app(library, allowed_hosts=None, jobs=jobs)).status_code == 403
    guarded = create_app(library, allowed_hosts=None, token=TOKEN, jobs=jobs)
    assert post(guarded).status_code == 401
    assert jobs.started == []
    assert post(guarded, authorization=f"Bearer {TOKEN}").status_code == 202


def test_a_forwarded_request_is_not_local(client, jobs):
    answer = client.post("/api/jobs", json=UPGRADE_BODY, headers={"x-forwarded-for": "203.0.113.7"})
    assert answer.status_code == 403
    assert jobs.started == []


def test_a_server_without_jobs_says_so(library):
    client = TestClient(create_app(library), "http://127.0.0.1:8000", client=PEER)
    assert client.post("/api/jobs", json=UPGRADE_BODY).status_code == 404
    assert client.get("/api/upgrade").json()["may_start"] is False


def test_the_cost_of_the_recommended_model(client, library):
    cost = client.get("/api/upgrade").json()
    assert (cost["model"], cost["current"]) == (RECOMMENDED, library.info().model)
    assert cost["pictures"] == len(library)
    assert (cost["is_current"], cost["has_space"], cost["may_start"]) == (False, True, True)
    assert cost["download_bytes"] > 100e6
    assert cost["disk_bytes"] > cost["download_bytes"]
    assert cost["seconds"] > 0


def test_the_stages_of_an_upgrade_are_described():
    job = Job(1, UPGRADE, "running", "download", 12_000_000, 154_000_000)
    assert job.summary == "Downloading 12 of 154 MB"
    job = Job(1, UPGRADE, "running", "embed", 312, 1404, rate=48.0, eta_s=23.0)
    assert job.summary == "Embedding 312 of 1,404 · 48/s · about 23 s left"
    job = Job(1, UPGRADE, "running", "switch", 500, 1000)
    assert job.summary == "Building the new index: 50 %"
    assert Job(1, UPGRADE, DONE).summary == "The library has its new model"
    assert Job(1, UPGRADE, "failed", message="no hub").summary == "Upgrade failed: no hub"


def test_the_rate_leaves_out_what_was_done_before():
    pace = _Pace()
    assert pace.rate("embed", 9000) is None
    pace._start_s -= 10
    assert 0.9 < (pace.rate("embed", 9010) or 0) < 1.1
    assert pace.rate("switch", 1) is None
