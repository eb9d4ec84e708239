import os
import time

import pytest

from snapseek import user_dirs
from snapseek.models.hub import probe_cache

OLD_NS = time.time_ns() - 3600 * 10**9


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"one")
    os.utime(path, ns=(OLD_NS, OLD_NS))
    return path


def test_entries_are_valid_while_files_are_unchanged(file):
    assert probe_cache.load_probe("topic", [file]) is None
    probe_cache.store_probe("topic", [file], {"dim": 4})
    assert probe_cache.load_probe("topic", [file]) == {"dim": 4}
    assert probe_cache.load_probe("other topic", [file]) is None
    assert probe_cache.load_probe("topic", [file, file.parent]) is None


@pytest.mark.parametrize("change", ["size", "time", "gone"])
def test_a_changed_file_invalidates_the_entry(file, change):
    probe_cache.store_probe("topic", [file], {"dim": 4})
    if change == "size":
        file.write_bytes(b"four")
        os.utime(file, ns=(OLD_NS, OLD_NS))
    elif change == "time":
        os.utime(file, ns=(OLD_NS, OLD_NS + 1))
    else:
        file.unlink()
    assert probe_cache.load_probe("topic", [file]) is None


def test_a_just_modified_file_is_not_cached(file):
    os.utime(file)
    probe_cache.store_probe("topic", [file], {"dim": 4})
    assert probe_cache.load_probe("topic", [file]) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"edition": 1}', "[" * 100_000, "x" * 2_000_000])
def test_a_damaged_entry_counts_as_missing(file, content):
    probe_cache.store_probe("topic", [file], {"dim": 4})
    (note,) = (user_dirs.cache_dir() / "facts").iterdir()
    note.write_text(content)
    assert probe_cache.load_probe("topic", [file]) is None


def test_a_cache_that_cannot_be_written_is_skipped(file, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(file / "below a file"))
    probe_cache.store_probe("topic", [file], {"dim": 4})
    assert probe_cache.load_probe("topic", [file]) is None
    assert probe_cache.sha256_of(file) == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"


def test_a_hash_is_computed_once(file, monkeypatch):
    first = probe_cache.sha256_of(file)
    monkeypatch.setattr(probe_cache.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert probe_cache.sha256_of(file) == first


def test_file_names_that_are_not_utf8(tmp_path, file):
    strange = tmp_path / os.fsdecode(b"\xff\xfe.onnx")
    file.rename(strange)
    probe_cache.store_probe("topic", [strange], {"dim": 4})
    assert probe_cache.load_probe("topic", [strange]) == {"dim": 4}
