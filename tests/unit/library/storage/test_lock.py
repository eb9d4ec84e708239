"""snapseek.library.storage.lock: one holder at a time, and none that outlives its process."""

import subprocess
import sys
import time

import pytest

from snapseek.errors import LibraryBusyError, StorageError
from snapseek.library.storage.lock import writer_lock

HOLD = """
import sys, time
from pathlib import Path
from snapseek.library.storage.lock import writer_lock
with writer_lock(Path(sys.argv[1]), 1):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_at_a_time(tmp_path):
    path = tmp_path / "lock"
    with (
        writer_lock(path, 0),
        pytest.raises(LibraryBusyError, match="another process is writing"),
        writer_lock(path, 0),
    ):
        pass
    with writer_lock(path, 0):
        pass


def test_a_killed_process_releases_the_lock(tmp_path):
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(LibraryBusyError), writer_lock(path, 0.1):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with writer_lock(path, 1):
        pass


def test_a_removed_lock_file_is_not_held_by_two(tmp_path):
    path = tmp_path / "lock"
    with writer_lock(path, 0):
        path.unlink()
        with writer_lock(path, 0):
            began_s = time.monotonic()
            with pytest.raises(LibraryBusyError), writer_lock(path, 0.1):
                pass
            assert time.monotonic() - began_s >= 0.1


def test_a_lock_file_that_cannot_be_created(tmp_path):
    with pytest.raises(StorageError, match="cannot write"), writer_lock(tmp_path / "no" / "lock", 0):
        pass
