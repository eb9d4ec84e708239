"""snapseek.library.watch: a library follows a real folder, by events of the system."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from snapseek.errors import InputError, LibraryBusyError
from snapseek.library import Library
from snapseek.library import watch as module
from snapseek.library.indexing.sync_report import SyncReport
from snapseek.library.watch import bursts, watch
from tests.conftest import PICTURES, write_pictures

PATIENCE_S = 120


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "_QUIET_MS", 50)
    monkeypatch.setattr(module, "_TICK_MS", 100)


@pytest.fixture
def own(folder, tmp_path, encoder) -> Library:
    """A library inside the folder that it is of, where it lies by default."""
    return Library.build(folder, folder / ".snapseek", encoder=encoder)


@contextmanager
def watching(library, folders=None, **options):
    """What `watch` tells, while it watches in a thread of its own."""
    stop, reports = threading.Event(), []
    options.setdefault("on_sync", reports.append)
    thread = threading.Thread(
        target=watch, args=(library, folders), kwargs={"stop": stop, "on_problem": reports.append, **options}
    )
    thread.start()
    try:
        yield reports
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def wait_for(what) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def picture(path: Path, color=(1, 2, 3)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), color).save(path)


def test_changes_in_a_folder_are_synced(own, folder):
    with watching(own) as reports:
        wait_for(lambda: reports)
        assert (reports[0].unchanged, reports[0].has_changed) == (len(PICTURES), False)
        picture(folder / "new" / "one.png")
        wait_for(lambda: len(own) == len(PICTURES) + 1)
        (folder / "new" / "one.png").rename(folder / "moved.png")
        wait_for(lambda: reports[-1].moved == 1)
        (folder / "moved.png").unlink()
        wait_for(lambda: len(own) == len(PICTURES))


def test_changes_of_the_library_and_skipped_files_start_no_sync(own, folder):
    with watching(own) as reports:
        wait_for(lambda: reports)
        picture(folder / ".hidden" / "one.png")
        (folder / ".snapseek" / "note.txt").write_text("x")
        time.sleep(0.5)
        assert len(reports) == 1


def test_a_new_folder_is_indexed_first(own, tmp_path):
    picture(tmp_path / "other" / "one.png")
    with watching(own, [tmp_path / "other"]):
        wait_for(lambda: len(own) == len(PICTURES) + 1)
        picture(tmp_path / "other" / "two.png", (200, 0, 0))
        wait_for(lambda: len(own) == len(PICTURES) + 2)


def test_a_folder_that_goes_and_comes_back_loses_nothing(own, folder, encoder, tmp_path):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    away = tmp_path / "away"
    with watching(library) as reports:
        wait_for(lambda: reports)
        folder.rename(away)
        wait_for(lambda: reports[-1].missing == (folder,))
        assert len(library) == len(PICTURES)
        picture(away / "one.png")
        away.rename(folder)
        wait_for(lambda: len(library) == len(PICTURES) + 1)


def test_a_folder_that_returns_during_a_sync_is_synced(own, folder, encoder, tmp_path):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    away, reports = tmp_path / "away", []

    def put_back(report):
        reports.append(report)
        if report.missing and away.exists():
            picture(away / "one.png")
            away.rename(folder)

    with watching(library, on_sync=put_back):
        wait_for(lambda: reports)
        folder.rename(away)
        wait_for(lambda: len(library) == len(PICTURES) + 1)


def test_a_missing_folder_is_not_reported_every_second(folder, encoder, tmp_path):
    with watching(Library.build(folder, tmp_path / "l", encoder=encoder)) as reports:
        wait_for(lambda: reports)
        folder.rename(tmp_path / "away")
        wait_for(lambda: reports[-1].missing == (folder,))
        time.sleep(2.5)
        assert len(reports) <= 3  # at the start, when its files disappear, and when it is no longer watched


def test_a_busy_library_is_retried(own, monkeypatch):
    left = [3]
    sync = Library.sync

    def busy_at_first(self, *arguments, **options):
        left[0] -= 1
        if left[0] > 0:
            raise LibraryBusyError("another process writes the library")
        return sync(self, *arguments, **options)

    monkeypatch.setattr(Library, "sync", busy_at_first)
    with watching(own) as reports:
        wait_for(lambda: len(reports) == 2)
    assert reports[0] == "another process writes the library"
    assert isinstance(reports[1], SyncReport)


@pytest.mark.parametrize("names", [[], ["nowhere"]])
def test_no_folder_to_watch_is_refused(names, tmp_path):
    with pytest.raises(InputError, match="expected a folder to watch, got none"):
        bursts([tmp_path / name for name in names], tmp_path / "l", threading.Event())


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(InputError, match=r'pip install "snapseek\[watch\]"'):
        bursts([tmp_path], tmp_path / "l", threading.Event())


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_ends_the_command_cleanly(tmp_path, encoder):
    folder = write_pictures(tmp_path / "pictures")
    Library.build(folder, folder / ".snapseek", encoder=encoder)
    command = [sys.executable, "-m", "snapseek", "watch", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == f"watching {folder} (Ctrl-C stops)\n"
            assert process.stderr.readline() == "6 unchanged\n"
            time.sleep(0.3)  # CPython writes a line twice whose write is interrupted as it ends
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert (process.returncode, stderr) == (0, "stopped watching; what was indexed is kept\n")


def test_sidecars_are_synced(own, folder):
    def captions():
        own.refresh()
        return {hit.meta["name"]: hit.caption for hit in own.browse(20) if hit.caption}

    with watching(own) as reports:
        wait_for(lambda: reports)
        (folder / "red.txt").write_text("a lighthouse")
        wait_for(lambda: captions() == {"red.jpg": "a lighthouse"})
        wait_for(lambda: reports[-1].described == 1)
        (folder / "red.txt").write_text("a tower, at night")
        wait_for(lambda: captions() == {"red.jpg": "a tower, at night"})
        (folder / "red.txt").unlink()
        wait_for(lambda: captions() == {})
