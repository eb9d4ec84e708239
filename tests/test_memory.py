import os
import time

import pytest

from snapseek.models import memory

OLD_NS = time.time_ns() - 3600 * 10**9


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"one")
    os.utime(path, ns=(OLD_NS, OLD_NS))
    return path


def test_facts_are_kept_while_files_stay_the_same(file):
    assert memory.recall("topic", [file]) is None
    memory.remember("topic", [file], {"dim": 4})
    assert memory.recall("topic", [file]) == {"dim": 4}
    assert memory.recall("other topic", [file]) is None
    assert memory.recall("topic", [file, file.parent]) is None


@pytest.mark.parametrize("change", ["size", "time", "gone"])
def test_a_change_of_a_file_is_noticed(file, change):
    memory.remember("topic", [file], {"dim": 4})
    if change == "size":
        file.write_bytes(b"four")
        os.utime(file, ns=(OLD_NS, OLD_NS))
    elif change == "time":
        os.utime(file, ns=(OLD_NS, OLD_NS + 1))
    else:
        file.unlink()
    assert memory.recall("topic", [file]) is None


def test_a_file_just_written_is_not_trusted(file):
    os.utime(file)
    memory.remember("topic", [file], {"dim": 4})
    assert memory.recall("topic", [file]) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"edition": 1}', "[" * 100_000, "x" * 2_000_000])
def test_damaged_notes_count_as_none(file, content):
    memory.remember("topic", [file], {"dim": 4})
    (note,) = (memory.cache_folder() / "facts").iterdir()
    note.write_text(content)
    assert memory.recall("topic", [file]) is None


def test_a_folder_that_cannot_be_written_is_done_without(file, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(file / "below a file"))
    memory.remember("topic", [file], {"dim": 4})
    assert memory.recall("topic", [file]) is None
    assert memory.sha256_of(file) == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"


def test_a_hash_is_computed_once(file, monkeypatch):
    first = memory.sha256_of(file)
    monkeypatch.setattr(memory.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert memory.sha256_of(file) == first


def test_names_that_are_not_text(tmp_path, file):
    strange = tmp_path / os.fsdecode(b"\xff\xfe.onnx")
    file.rename(strange)
    memory.remember("topic", [strange], {"dim": 4})
    assert memory.recall("topic", [strange]) == {"dim": 4}


def test_where_the_cache_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path))
    assert memory.cache_folder() == tmp_path
    monkeypatch.delenv("SNAPSEEK_CACHE")
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert memory.cache_folder() == tmp_path / "x" / "snapseek"
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert memory.cache_folder().parts[-3:] == ("Library", "Caches", "snapseek")
    monkeypatch.setattr(memory.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert memory.cache_folder() == tmp_path / "snapseek" / "cache"
