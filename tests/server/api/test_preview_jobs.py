"""Previews of imported pictures over HTTP: how many are missing, and who may have them made."""

import pytest
from starlette.testclient import TestClient

from snapseek.server import create_app
from snapseek.server.host_guard import LOOPBACK_HOSTS
from snapseek.server.jobs import DONE, FAILED, PREVIEWS, RUNNING, Job, JobRunner
from tests.support.dated_library import dated_library

ROWS = 6


@pytest.fixture
def imported(tmp_path, encoder):
    return dated_library(tmp_path, encoder, rows=ROWS)[0]


@pytest.fixture
def runner():
    jobs = JobRunner()
    yield jobs
    jobs.close()


def client_of(library, jobs):
    app = create_app(library, allowed_hosts=LOOPBACK_HOSTS, jobs=jobs)
    return TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 50_000))


def test_a_job_tries_every_missing_preview(imported, runner):
    """A job never fetches from this machine: each picture is tried once, and counts as failed afterwards."""
    client = client_of(imported, runner)
    assert client.get("/api/previews").json() == {"missing": ROWS, "failed": 0, "may_start": True}
    answer = client.post("/api/jobs", json={"kind": "previews"})
    assert (answer.status_code, answer.json()["kind"]) == (202, PREVIEWS)
    assert runner.wait(runner._jobs[0], 120)
    (job,) = client.get("/api/jobs").json()["jobs"]
    assert (job["state"], job["done"], job["failed"]) == (DONE, ROWS, ROWS)
    assert job["summary"] == f"Previews made: {ROWS} of {ROWS} · {ROWS} unreadable"
    assert client.get("/api/previews").json() == {"missing": 0, "failed": ROWS, "may_start": True}


def test_a_library_with_all_previews_offers_nothing(library, runner):
    assert client_of(library, runner).get("/api/previews").json()["missing"] == 0


def test_a_server_without_jobs_starts_none(imported):
    client = client_of(imported, None)
    assert client.get("/api/previews").json()["may_start"] is False
    assert client.post("/api/jobs", json={"kind": "previews"}).status_code == 404


def test_previews_take_no_model(imported, runner):
    client = client_of(imported, runner)
    assert client.post("/api/jobs", json={"kind": "previews", "model": "starter"}).status_code == 400
    assert client.get("/api/jobs").json()["jobs"] == []


def test_the_summary_names_what_it_does():
    job = Job(1, PREVIEWS, RUNNING, "embed", 312, 1404, 2, rate=48.0, eta_s=23.0)
    assert job.summary == "Making previews: 312 of 1,404 · 48/s · about 23 s left · 2 unreadable"
    assert Job(1, PREVIEWS, FAILED, message="no network").summary == "Making previews failed: no network"
