"""Branches for other systems: user directories, hard links, processor affinity, limits of open files."""

import errno
import os
import sys
from pathlib import Path

import pytest

from snapseek import threads
from snapseek.atomic_file import is_plain_file, publish_new
from snapseek.library.paths import demo_library
from snapseek.server import run


@pytest.mark.parametrize(
    ("platform", "variables", "directory"),
    [
        ("win32", {"LOCALAPPDATA": "/data"}, Path("/data")),
        ("win32", {}, Path("/home/me/AppData/Local")),
        ("darwin", {}, Path("/home/me/Library/Application Support")),
        ("linux", {"XDG_DATA_HOME": "/data"}, Path("/data")),
        ("linux", {}, Path("/home/me/.local/share")),
    ],
)
def test_the_demo_library_is_in_the_data_directory_of_the_system(monkeypatch, platform, variables, directory):
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("LOCALAPPDATA", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (variables | {"HOME": "/home/me"}).items():
        monkeypatch.setenv(name, value)
    assert demo_library() == directory / "snapseek" / "demo.snapseek"


def without_hard_links(monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.parametrize("error", [OSError(errno.EPERM, "not permitted"), NotImplementedError()])
def test_a_file_is_published_without_hard_links(monkeypatch, tmp_path, error):
    without_hard_links(monkeypatch, error)
    draft, path = tmp_path / "draft", tmp_path / "file"
    draft.write_bytes(b"new")
    publish_new(draft, path)
    assert path.read_bytes() == b"new"
    assert not draft.exists()


def test_a_foreign_file_is_not_replaced_without_hard_links(monkeypatch, tmp_path):
    without_hard_links(monkeypatch, OSError(errno.EPERM, "not permitted"))
    draft, path = tmp_path / "draft", tmp_path / "file"
    draft.write_bytes(b"new")
    path.write_bytes(b"foreign")
    with pytest.raises(FileExistsError):
        publish_new(draft, path)
    assert path.read_bytes() == b"foreign"


def test_an_error_other_than_missing_hard_links_is_raised(monkeypatch, tmp_path):
    without_hard_links(monkeypatch, OSError(errno.ENOSPC, "full"))
    (tmp_path / "draft").write_bytes(b"new")
    with pytest.raises(OSError, match="full"):
        publish_new(tmp_path / "draft", tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_a_missing_file_is_no_plain_file(tmp_path):
    assert not is_plain_file(tmp_path / "missing")


def test_cores_are_counted_without_processor_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert threads.available_cores() == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert threads.available_cores() == 1


def test_a_server_starts_without_limits_of_open_files(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    run._raise_file_limit()


@pytest.mark.skipif(sys.platform == "win32", reason="has no resource limits")
@pytest.mark.parametrize(
    ("soft", "hard", "raised"), [(256, 1 << 20, 4096), (256, 1024, 1024), (8192, 9000, None)]
)
def test_a_server_raises_the_limit_of_open_files(monkeypatch, soft, hard, raised):
    import resource

    limits = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    run._raise_file_limit()
    assert limits == ([] if raised is None else [(raised, hard)])
