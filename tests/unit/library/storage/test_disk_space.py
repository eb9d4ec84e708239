"""snapseek.library.storage.disk_space: a full disk is an error before any work starts."""

import shutil
from collections import namedtuple

import pytest

from snapseek.errors import StorageError
from snapseek.library import Library
from snapseek.library.storage.disk_space import check_disk_space, memory_bytes, needed_bytes

Usage = namedtuple("Usage", "total used free")


def full(monkeypatch, free):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, free))


def test_needed_bytes_grow_with_rows():
    assert needed_bytes(0, 512, 900) == 0
    assert needed_bytes(2000, 512, 900) == 2 * needed_bytes(1000, 512, 900) > 2000 * (512 + 900)


def test_a_full_disk_is_refused(tmp_path, monkeypatch):
    needed = needed_bytes(1000, 512, 900)
    full(monkeypatch, needed)
    check_disk_space(tmp_path, 1000, 512, 900)
    full(monkeypatch, needed - 1)
    with pytest.raises(StorageError) as caught:
        check_disk_space(tmp_path, 1000, 512, 900)
    assert caught.value.expected.startswith("about ")


def test_an_index_does_not_start_on_a_full_disk(folder, tmp_path, encoder, monkeypatch):
    full(monkeypatch, 100)
    seen = []
    with pytest.raises(StorageError, match="free for"):
        Library.build(folder, tmp_path / "l", encoder=encoder, progress=seen.append)
    assert seen == []


def test_a_merge_is_skipped_on_a_full_disk(folder, tmp_path, encoder, monkeypatch):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    (folder / "red.jpg").unlink()
    full(monkeypatch, 100)
    report = library.sync()
    assert report.removed == 1
    assert "free some space" in report.compaction_skipped
    with pytest.raises(StorageError, match="free some space"):
        library.compact()


def test_memory_bytes_where_the_system_has_sysconf(monkeypatch):
    assert memory_bytes() > 2**28
    monkeypatch.delattr("os.sysconf")
    assert memory_bytes() == 0
