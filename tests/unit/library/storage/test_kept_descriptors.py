"""Files of SQLite are looked at without cancelling the locks that this process has on them."""

import os
import subprocess
import sys

import pytest

from snapseek.library import Library
from snapseek.library.storage import kept_descriptors
from snapseek.library.storage.database import Database
from snapseek.library.storage.kept_descriptors import first_locked_bytes

_WRITER = """
import sys
from pathlib import Path
from snapseek.library import Library
from snapseek.library.storage.shard_files import exclusive_writer
library = Library.open(sys.argv[1])
with exclusive_writer(Path(sys.argv[1])) as database:  # a second connection: the files are looked at again
    for number in range(150):
        with database.transaction():
            database.settings.update({"a test": f"{number}"})
        library.refresh()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no locks of POSIX")


def test_a_process_with_two_connections_survives_what_others_open(tmp_path, folder, encoder):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    with subprocess.Popen([sys.executable, "-c", _WRITER, tmp_path / "l"]) as writer:
        while writer.poll() is None:
            Database.open(tmp_path / "l").close()
    assert writer.returncode == 0  # -7 for memory that another process has truncated
    with Database.open(tmp_path / "l") as database:
        assert database.settings.all()["a test"] == "149"


def test_the_first_bytes_of_a_file_are_those_it_has_now(tmp_path):
    path = tmp_path / "file"
    assert first_locked_bytes(path, 4) == b""
    path.write_bytes(b"abcdef")
    assert first_locked_bytes(path, 4) == b"abcd"
    path.write_bytes(b"xy")
    assert first_locked_bytes(path, 4) == b"xy"
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "other").replace(path)
    assert first_locked_bytes(path, 4) == b"othe"


def test_links_folders_and_pipes_are_not_read(tmp_path):
    (tmp_path / "file").write_bytes(b"abcd")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "."):
        assert first_locked_bytes(tmp_path / name, 4) == b""


def test_descriptors_are_bounded_and_those_of_removed_files_close(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_descriptors, "MAX_KEPT", 5)
    monkeypatch.setattr(kept_descriptors, "_kept", type(kept_descriptors._kept)())
    for number in range(20):
        path = tmp_path / f"{number}"
        path.write_bytes(b"abcd")
        assert first_locked_bytes(path, 1) == b"a"
    assert len(kept_descriptors._kept) == 5
    for number in range(16, 20):
        (tmp_path / f"{number}").unlink()
    (tmp_path / "last").write_bytes(b"z")
    assert first_locked_bytes(tmp_path / "last", 1) == b"z"
    assert len(kept_descriptors._kept) == 2
    for descriptor in kept_descriptors._kept.values():
        os.close(descriptor)
