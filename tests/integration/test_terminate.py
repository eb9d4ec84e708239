"""SIGTERM to a server: the job that runs is stopped, and goes on with the next start."""

import signal
import subprocess
import sys
import time

import pytest

from snapseek.library import Library
from tests.server.test_jobs import make_pictures

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


def start(*arguments):
    command = [sys.executable, "-m", "snapseek", *map(str, arguments), "--port", "0"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children_of(process):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
    return [int(pid) for pid in listed.stdout.split()]


def is_running(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_running_job_is_stopped_and_goes_on_later(tmp_path, tiny_model, number):
    pictures, library = make_pictures(tmp_path / "pictures", 3000), tmp_path / "library"
    arguments = (pictures, "--library", library, "--model", tiny_model, "--threads", 1, "--no-open")
    process = start("open", *arguments)
    try:
        while "serving http" not in (line := process.stderr.readline()):
            assert line, "the server has ended"
        (job,) = children_of(process)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGTERM
    assert "stopped; what was indexed so far is in the library. Run the command again to go on" in said
    assert "Traceback" not in said
    assert not is_running(job)
    kept = len(Library.open(library))
    assert 0 < kept < 3000
    done = subprocess.run(
        [sys.executable, "-m", "snapseek", "sync", "--library", str(library)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(Library.open(library)) == 3000, done.stderr


def test_an_idle_server_ends_by_the_signal_without_a_word(tmp_path, library):
    process = start("serve", library.info().path)
    try:
        while "serving http" not in (line := process.stderr.readline()):
            assert line, "the server has ended"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGTERM
    assert said == ""


RAY = """
import signal, sys, contextlib
import snapseek.cluster.ray_serve as module
@contextlib.contextmanager
def served(source, target, options):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("a trace of Ray"))  # as Ray does when it starts
    try:
        yield lambda: False
    finally:
        print("the replicas are stopped", flush=True)
module.served_partitions = served
from snapseek.cli.main import main
main(["cluster", "serve", "a.json", "b.json"])
"""


def test_replicas_are_stopped_without_a_trace_of_ray():
    command = [sys.executable, "-c", RAY]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr.readline().startswith("serve: ")
        process.send_signal(signal.SIGTERM)
        shown, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, shown, said) == (-signal.SIGTERM, "the replicas are stopped\n", "")


def test_a_server_that_still_starts_ends_by_the_signal(tmp_path, library):
    process = start("serve", library.info().path)
    try:
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGTERM
    assert "Traceback" not in said
