"""The job of an upgrade is killed while a server answers: at random moments, and during the switch.

After each kill the server answers with one model, the library is whole, and the next job goes on. Answers
never go back to the first model. SNAPSEEK_JOB_KILLS says how many kills there are of each kind;
`make upgrade-kills` takes 100.
"""

import os
import random
import shutil
import sys
import threading
import time
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from snapseek import Encoder, Library
from snapseek.library import verify
from snapseek.library.model_choice import RecordedModel
from snapseek.server import create_app
from snapseek.server.jobs import DONE, FAILED, JobRunner
from tests.support.asgi_client import ask
from tests.support.fake_hub import FakeHub
from tests.support.model_specimens import write_split

KILLS = int(os.environ.get("SNAPSEEK_JOB_KILLS", "0"))
REPO = "maker/clip"
STARTER = "starter"
COUNT = 60
WAIT_S = 120

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not KILLS, reason="it takes minutes: make upgrade-kills"),
    pytest.mark.skipif(sys.platform == "win32", reason="a process is killed by a signal"),
]


class Answers(threading.Thread):
    """Searches without a pause, and notes each answer: the model, the version, the results."""

    def __init__(self, app):
        super().__init__(daemon=True)
        self._app = app
        self._is_over = threading.Event()
        self.answers = []

    def run(self):
        while not self._is_over.is_set():
            reply = ask(self._app, "/api/search", "q=red&limit=60&include=")
            found = reply.json()
            assert reply.status == 200, found
            scores = {entry["id"]: entry["score"] for entry in found["results"]}
            self.answers.append((found["index"]["model"], scores))

    def finish(self):
        self._is_over.set()
        self.join(WAIT_S)
        assert not self.is_alive()
        return self.answers


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A library with the built-in model, a hub with another one, and the scores of both models."""
    directory = tmp_path_factory.mktemp("kills")
    with pytest.MonkeyPatch.context() as patch:
        write_split(directory / "repo")
        hub = FakeHub()
        hub.add(REPO, directory / "repo")
        for name, value in (("CACHE", "cache"), ("CONFIG", "config")):
            patch.setenv(f"SNAPSEEK_{name}", str(directory / value))
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        (directory / "pictures").mkdir()
        for number in range(COUNT):
            color = f"hsl({number * 360 // COUNT}, 80%, 50%)"
            Image.new("RGB", (60, 40), color).save(directory / "pictures" / f"{number:02}.png")
        Library.build(directory / "pictures", directory / "begin", encoder=Encoder.load(STARTER))
        with hub.served():
            patch.setenv("HF_ENDPOINT", hub.url)
            scene = SimpleNamespace(directory=directory, library=directory / "l", cache=directory / "cache")
            reset(scene)
            scene.scores = {STARTER: scores(scene.library)}
            jobs, start_s = JobRunner(), time.monotonic()
            job = jobs.start_upgrade(scene.library, REPO)
            wait_for_stage(jobs, job, "switch")
            switch_s = time.monotonic()
            while RecordedModel.read(scene.library).name != REPO:
                assert job.is_active, job
                time.sleep(0.001)
            scene.whole_s, scene.switch_s = time.monotonic() - start_s, time.monotonic() - switch_s
            assert jobs.wait(job, WAIT_S)
            assert job.state == DONE, job.message
            jobs.close()
            scene.scores[REPO] = scores(scene.library)
            yield scene


def reset(scene):
    """Put back the library as it was, and forget the download."""
    for path in (scene.library, scene.cache):
        shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(scene.directory / "begin", scene.library)


def scores(path):
    return {hit.id: hit.score for hit in Library.open(path).search("red", limit=60)}


def wait_for_stage(jobs, job, stage):
    """Wait until the job has come to a stage, or has ended. Return whether it is in that stage."""
    with jobs._lock:
        jobs._lock.wait_for(lambda: job.stage == stage or not job.is_active, WAIT_S)
        return job.is_active


def kill(jobs, job):
    """Kill the process of a job, if it still runs."""
    with jobs._lock:
        process = jobs._process if job.is_active else None
    if process is not None:
        process.kill()


def check_answers(answers, scene):
    """Each answer has the scores of one model, and the first model does not come back."""
    models = [model for model, _ in answers]
    assert models == sorted(models, key=[STARTER, REPO].index)
    for model, found in answers:
        expected = scene.scores[model]
        assert found.keys() == expected.keys()
        np.testing.assert_allclose([found[item] for item in expected], list(expected.values()), atol=0.01)


@pytest.mark.parametrize("moment", ["any", "switch"])
def test_a_killed_job_loses_nothing_and_mixes_nothing(scene, moment, capsys):
    chance, outcomes, answered = random.Random(moment), Counter(), 0
    for _ in range(KILLS):
        if not scene.library.exists() or Library.open(scene.library).info().model != STARTER:
            reset(scene)
        jobs = JobRunner()
        app = create_app(Library.open(scene.library), jobs=jobs)
        answers = Answers(app)
        answers.start()
        job = jobs.start_upgrade(scene.library, REPO)
        if moment == "switch":
            wait_for_stage(jobs, job, "switch")
        time.sleep(chance.uniform(0, 1.2 * scene.switch_s if moment == "switch" else scene.whole_s))
        kill(jobs, job)
        assert jobs.wait(job, WAIT_S)
        jobs.close()
        noted = answers.finish()
        check_answers(noted, scene)
        answered += len(noted)
        assert job.state in (FAILED, DONE)
        assert verify(scene.library) == []
        assert scores(scene.library) == pytest.approx(
            scene.scores[Library.open(scene.library).info().model], abs=0.01
        )
        outcomes[f"{job.stage}, then {Library.open(scene.library).info().model}"] += 1
    finish(scene)
    with capsys.disabled():
        sys.stdout.write(f"\n{KILLS} kills ({moment}): {dict(outcomes)}; {answered} answers meanwhile\n")


def finish(scene):
    """Let an upgrade go on to its end, and check that nothing of the interrupted ones is left."""
    jobs = JobRunner()
    job = jobs.start_upgrade(scene.library, REPO)
    assert jobs.wait(job, WAIT_S)
    jobs.close()
    assert job.state == DONE, job.message
    library = Library.open(scene.library)
    assert (library.info().model, len(library)) == (REPO, COUNT)
    assert scores(scene.library) == pytest.approx(scene.scores[REPO], abs=0.01)
    assert verify(scene.library) == []
