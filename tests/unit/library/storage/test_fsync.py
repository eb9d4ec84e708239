import os
import zlib

import pytest

from snapseek.library.storage.fsync import crc_of, sync_directory, sync_file


@pytest.mark.parametrize("data", [b"", b"x", os.urandom((1 << 20) + 7)], ids=["empty", "short", "long"])
def test_a_checksum_is_of_the_whole_file(tmp_path, data):
    path = tmp_path / "f"
    path.write_bytes(data)
    assert crc_of(path) == zlib.crc32(data)


def test_files_and_folders_are_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    (tmp_path / "f").touch()
    sync_file(tmp_path / "f")
    sync_directory(tmp_path)
    expected = [(tmp_path / "f").stat().st_ino, tmp_path.stat().st_ino]
    assert synced == (expected if os.name == "posix" else expected[:1])
