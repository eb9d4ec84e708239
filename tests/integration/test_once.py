"""`once` runs in one worker only."""

import multiprocessing

import pytest

from tests.support.once import once


class Factory:
    """As pytest's: each worker has a folder of its own within a common one."""

    def __init__(self, base):
        self.base = base

    def getbasetemp(self):
        return self.base


def make_in_worker(base, log):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_XDIST_WORKER", "gw0")

        def make(folder):
            with log.open("a") as file:
                file.write(f"{folder}\n")
            (folder / "made").write_text("x")

        assert (once(Factory(base), "thing", make) / "made").read_text() == "x"


def test_one_of_many_workers_runs_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    workers = [
        context.Process(target=make_in_worker, args=(tmp_path / f"gw{number}", log)) for number in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len(log.read_text().splitlines()) == 1


def test_a_failure_is_retried(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)

    def fail(folder):
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        once(Factory(tmp_path), "thing", fail)
    assert once(Factory(tmp_path), "thing", lambda folder: None).is_dir()
