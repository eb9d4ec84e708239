"""Jobs: child processes that index while the server answers."""

import io
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from snapseek.cli import main
from snapseek.cli.index import INDEX_OPTIONS, index_arguments
from snapseek.cli.main import make_parser
from snapseek.library import Library
from snapseek.library.storage.shard_files import exclusive_writer
from snapseek.server import create_app
from snapseek.server.follow import Follower
from snapseek.server.jobs import BUSY, DONE, FAILED, STOPPED, JobRunner
from tests.support.asgi_client import ask


@pytest.fixture
def jobs():
    runner = JobRunner()
    yield runner
    runner.close()


@pytest.fixture
def command(tiny_model):
    """Return the arguments that index a folder into a library with the tiny model."""

    def arguments(folder: Path, library: Path) -> list[str]:
        line = ["open", str(folder), "--library", str(library), "--model", str(tiny_model), "--threads", "1"]
        return index_arguments([folder], library, make_parser().parse_args(line))

    return arguments


def sync_line(library: Path) -> list[str]:
    return ["sync", "--progress", "json", "--library", str(library)]


def make_pictures(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (64, 48), (number % 256, number // 256, 7)).save(folder / f"{number:04}.png")
    return folder


def test_a_job_reports_its_progress_and_ends(jobs, command, folder, tmp_path):
    job = jobs.start("index", command(folder, tmp_path / "library"))
    assert jobs.wait(job, 60)
    (shown,) = jobs.jobs()
    assert (shown.kind, shown.state, shown.done, shown.total, shown.failed) == ("index", DONE, 6, 6, 0)
    assert shown.summary == "Indexed 6 of 6"
    assert len(Library.open(tmp_path / "library")) == 6


def test_stages_before_the_first_picture_are_reported(command, folder, tmp_path):
    class Recording(JobRunner):
        """Keeps the stages of its jobs."""

        def _follow(self, job, output):
            lines = output.read().splitlines()
            for line in lines:
                super()._follow(job, io.BytesIO(line + b"\n"))
                if not job.done:
                    seen.append((job.stage, job.summary))

    seen: list[tuple[str, str]] = []
    runner = Recording()
    try:
        job = runner.start("index", command(folder, tmp_path / "library"))
        assert runner.wait(job, 60)
    finally:
        runner.close()
    assert seen == [("load", "Loading the model"), ("scan", "Looking for pictures")]
    assert runner.jobs()[0].stage == "embed"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no niceness")
@pytest.mark.parametrize("form", ["json", "bar"])
def test_a_job_lets_searches_go_first(tmp_path, form, monkeypatch, tiny_model, capsys):
    lowered = []
    monkeypatch.setattr(os, "setpriority", lambda *_: lowered.append(capsys.readouterr().out.count("embed")))
    folder = make_pictures(tmp_path / "pictures", 80)
    line = ["--library", str(tmp_path / "l"), "--progress", form]
    assert main(["index", str(folder), "--model", str(tiny_model), *line]) == 0
    assert bool(lowered) == (form == "json")
    if form == "json":
        assert lowered[0] == 59, "only after the first page of pictures"
    lowered.clear()
    assert main(["sync", *line]) == 0
    assert bool(lowered) == (form == "json")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux has a priority for each thread")
def test_every_thread_of_a_job_has_the_low_priority():
    code = """
import os, threading, time
from snapseek.threads import lower_priority
ended = threading.Event()
threading.Thread(target=ended.wait).start()
lower_priority()
tasks = [int(task) for task in os.listdir("/proc/self/task")]
print(len(tasks), {os.getpriority(os.PRIO_PROCESS, task) >= 10 for task in tasks})
ended.set()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, low = done.stdout.split(maxsplit=1)
    assert (int(count) >= 2, low.strip()) == (True, "{True}")


def test_a_failed_job_says_why(jobs, tmp_path):
    job = jobs.start("sync", sync_line(tmp_path / "none"))
    assert jobs.wait(job, 60)
    assert job.state == FAILED
    assert "expected a library" in job.message


def test_unreadable_pictures_are_counted(jobs, command, folder, tmp_path):
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    job = jobs.start("index", command(folder, tmp_path / "library"))
    assert jobs.wait(job, 60)
    assert (job.state, job.failed) == (DONE, 1)
    assert job.summary.endswith(" · 1 unreadable")


def test_a_stopped_job_keeps_what_it_embedded(jobs, command, tmp_path):
    pictures, path = make_pictures(tmp_path / "pictures", 600), tmp_path / "library"
    job = jobs.start("index", command(pictures, path))
    while not job.done and job.is_active:
        time.sleep(0.01)
    jobs.close()
    assert job.state == STOPPED
    kept = len(Library.open(path))
    assert job.done <= kept < 600
    again = JobRunner()
    remaining = again.start("index", command(pictures, path))
    assert again.wait(remaining, 120)
    again.close()
    assert (remaining.state, remaining.done, remaining.skipped) == (DONE, 600 - kept, kept)
    assert len(Library.open(path)) == 600


def test_jobs_wait_for_each_other(jobs, command, folder, tmp_path):
    first = jobs.start("index", command(folder, tmp_path / "library"))
    second = jobs.start("sync", sync_line(tmp_path / "library"))
    assert second.state == "waiting"
    assert jobs.start("sync", sync_line(tmp_path / "library")) is second
    assert jobs.wait(second, 60)
    assert (first.state, second.state) == (DONE, DONE)


def test_a_sync_that_finds_another_writer_is_busy_not_failed(jobs, folder, tmp_path, encoder):
    path = tmp_path / "library"
    Library.build(folder, path, encoder=encoder)
    with exclusive_writer(path):
        job = jobs.start("sync", [*sync_line(path), "--allow-root", str(encoder.files.root)])
        assert jobs.wait(job, 60)
    assert (job.state, job.message) == (BUSY, "")


def test_a_closed_runner_starts_nothing(tmp_path):
    runner = JobRunner()
    runner.close()
    assert runner.start("index", ["index", str(tmp_path)]).state == STOPPED


def test_every_option_of_index_is_passed_on():
    declared = vars(make_parser().parse_args(["index", "FOLDER"]))
    apart = {"command", "run", "folders", "library", "progress"}
    assert set(INDEX_OPTIONS) == set(declared) - apart


def test_jobs_and_failures_are_answered(jobs, command, folder, tmp_path, encoder):
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    assert jobs.wait(jobs.start("index", command(folder, tmp_path / "library")), 60)
    app = create_app(Library.open(tmp_path / "library", encoder=encoder), jobs=jobs)
    answer = ask(app, "/api/jobs").json()
    assert answer["count"] == 6
    assert [(job["state"], job["done"]) for job in answer["jobs"]] == [(DONE, 7)]
    failures = ask(app, "/api/failures").json()
    assert failures["total"] == 1
    assert failures["failures"][0]["path"] == str(folder / "broken.jpg")
    exposed = create_app(Library.open(tmp_path / "library", encoder=encoder), allowed_hosts=None)
    assert ask(exposed, "/api/failures").json()["failures"][0]["path"] == "broken.jpg"
    assert ask(exposed, "/api/jobs").json()["jobs"] == []


def test_new_files_of_a_served_folder_are_indexed(jobs, command, folder, tmp_path, encoder):
    path = tmp_path / "library"
    assert jobs.wait(jobs.start("index", command(folder, path)), 60)
    library = Library.open(path, encoder=encoder)
    follower = Follower(library, jobs, sync_line(path))
    follower.start()
    deadline = time.monotonic() + 60
    while sum(job.state == DONE for job in jobs.jobs()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    shutil.copy(folder / "red.jpg", folder / "later.jpg")
    while library.refresh() or len(library) < 7:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    follower.close()
    assert any(hit.uri.endswith("later.jpg") for hit in library.search("red"))


def test_a_folder_that_is_added_is_followed_too(jobs, command, folder, tmp_path, encoder):
    path, later = tmp_path / "library", make_pictures(tmp_path / "later", 2)
    assert jobs.wait(jobs.start("index", command(folder, path)), 60)
    library = Library.open(path, encoder=encoder)
    follower = Follower(library, jobs, sync_line(path), sync_first=False)
    follower.start()
    assert jobs.wait(jobs.start_add(path, later), 60)
    deadline = time.monotonic() + 60
    while not any(job.kind == "sync" and job.state == DONE for job in jobs.jobs()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    Image.new("RGB", (64, 48), (9, 200, 9)).save(later / "new.png")
    while library.refresh() or len(library) < 9:
        assert time.monotonic() < deadline, jobs.jobs()
        time.sleep(0.05)
    follower.close()


def test_a_job_that_is_killed_says_how_it_ended(jobs, tmp_path, command, folder):
    job = jobs.start("index", command(make_pictures(tmp_path / "many", 400), tmp_path / "library"))
    while not job.done and job.is_active:
        time.sleep(0.01)
    jobs._process.kill()
    assert jobs.wait(job, 60)
    assert (job.state, "its process" in job.message) == (FAILED, True)


def test_folders_are_added_and_removed_by_jobs(jobs, command, folder, tmp_path):
    path, later = tmp_path / "library", make_pictures(tmp_path / "-later", 2)
    assert jobs.wait(jobs.start("index", command(folder, path)), 60)
    added = jobs.start_add(path, later)
    assert jobs.wait(added, 60)
    assert (added.state, added.done, added.total, added.summary) == (DONE, 2, 2, "Indexed 2 of 2")
    assert len(Library.open(path)) == 8
    removed = jobs.start_remove(path, later)
    assert jobs.wait(removed, 60)
    assert (removed.state, removed.summary) == (DONE, "Pictures removed")
    assert len(Library.open(path)) == 6
    assert len(list(later.iterdir())) == 2
