"""Branches for other systems: directories, links, inodes, quoting, watched paths, cores, open files."""

import errno
import os
import sys
from pathlib import Path

import pytest

from snapseek import threads
from snapseek.atomic_file import is_plain_file, publish_new
from snapseek.cli import console
from snapseek.library.paths import demo_library
from snapseek.library.storage.shard_files import _identity
from snapseek.library.watch import _matters
from snapseek.server import run
from snapseek.sources import folder
from snapseek.sources.folder import find_pictures


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


@pytest.mark.parametrize(
    ("system", "listed"),
    [("linux", "'it'\"'\"'s here'"), ("darwin", "'it'\"'\"'s here'"), ("win32", '"it\'s here"')],
)
def test_a_hint_quotes_a_path_for_the_shell_of_the_system(monkeypatch, system, listed):
    monkeypatch.setattr(sys, "platform", system)
    assert console._quoted("it's here") == listed


@pytest.mark.parametrize(
    ("inode", "stored"), [(7, 7), ((1 << 64) - 1, -1), (1 << 63, -(1 << 63)), ((5 << 64) + 3, 3)]
)
def test_an_inode_fits_into_sqlite(inode, stored):
    status = os.stat_result((0, inode, 0, 1, 0, 0, 0, 0, 0, 0))
    assert _identity(status)[0] == stored


def test_a_junction_to_a_folder_is_not_followed(monkeypatch, tmp_path):
    (tmp_path / "junction").mkdir()
    (tmp_path / "plain").mkdir()
    for name in ("junction", "plain"):
        (tmp_path / name / "a.jpg").touch()
    monkeypatch.setattr(
        folder, "is_junction", lambda status: status.st_ino == (tmp_path / "junction").stat().st_ino
    )
    assert [picture.within for picture in find_pictures(tmp_path)] == ["plain/a.jpg"]


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_a_change_is_noticed_however_the_system_spells_its_path(monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    folders, library = [Path("/home/me/Café")], Path("/home/me/Café/.snapseek")
    assert _matters(Path("/home/ME/cafe\u0301/new.jpg"), folders, library)
    assert not _matters(Path("/home/me/Cafe\u0301/.SNAPSEEK/library.db"), folders, library)
    assert not _matters(Path("/home/me/other/new.jpg"), folders, library)


def test_letters_of_either_case_are_two_folders_on_linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert not _matters(Path("/photos/a.jpg"), [Path("/Photos")], Path("/library"))


def test_a_change_reported_by_its_real_path_is_noticed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    folders, library = [tmp_path / "link"], tmp_path / "link" / ".snapseek"
    assert _matters(tmp_path / "real" / "new.jpg", folders, library)
    assert not _matters(tmp_path / "real" / ".snapseek" / "library.db", folders, library)
