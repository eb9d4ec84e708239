"""`snapseek.VectorIndex` and relative paths: a later `os.chdir` changes nothing."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from snapseek import VectorIndex
from snapseek.errors import InputError, StorageError
from tests.support.vector_rows import LISTS, names, unit_rows

KINDS = pytest.mark.parametrize("settings", [LISTS, {}], ids=["lists", "flat"])


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The current directory and another one that holds a smaller index under the same name."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    VectorIndex.build(unit_rows(20), path=there / "a.snap")
    monkeypatch.chdir(here)
    return here, there


@KINDS
def test_an_index_built_at_a_relative_path_keeps_its_file(
    settings: dict[str, Any], folders: tuple[Path, Path]
) -> None:
    here, there = folders
    index = VectorIndex.build(unit_rows(500), path="a.snap", **settings)
    os.chdir(there)
    assert index.info().path == here / "a.snap"
    assert index.info().size_bytes == (here / "a.snap").stat().st_size
    assert str(here / "a.snap") in repr(index)
    assert len(pickle.loads(pickle.dumps(index))) == 500


@pytest.mark.parametrize("load", ["map", "ram"])
@KINDS
def test_an_index_opened_at_a_relative_path_keeps_its_file(
    settings: dict[str, Any], load: Any, folders: tuple[Path, Path]
) -> None:
    here, there = folders
    VectorIndex.build(unit_rows(500), path="a.snap", **settings)
    for path in ("a.snap", Path("a.snap"), Path("..") / "here" / "a.snap"):
        index = VectorIndex.open(path, load=load)
        os.chdir(there)
        assert index.info().path.samefile(here / "a.snap")
        assert len(pickle.loads(pickle.dumps(index))) == 500
        index.verify()
        os.chdir(here)


@KINDS
def test_a_build_writes_where_it_was_started(settings: dict[str, Any], folders: tuple[Path, Path]) -> None:
    here, there = folders
    theirs = (there / "a.snap").read_bytes()
    index = VectorIndex.build(
        unit_rows(500), path="a.snap", progress=lambda _stage, _share: os.chdir(there), **settings
    )
    assert Path.cwd() == there
    assert (len(index), index.info().path) == (500, here / "a.snap")
    assert names(here) == ["a.snap"]
    assert (there / "a.snap").read_bytes() == theirs


def test_a_temporary_index_keeps_its_file(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = folders
    monkeypatch.setattr("tempfile.tempdir", ".")
    index = VectorIndex.build(unit_rows(500))
    os.chdir(there)
    path = index.info().path
    assert path.is_relative_to(here)
    del index
    assert names(here) == []


def test_a_relative_path_in_a_directory_that_is_gone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for use in (lambda: VectorIndex.open("a.snap"), lambda: VectorIndex.build(unit_rows(20), path="a.snap")):
        with pytest.raises(StorageError, match="the current directory is gone"):
            use()


@KINDS
@pytest.mark.parametrize("kind", ["text", "link", "pipe"])
def test_a_build_replaces_an_index_and_nothing_else(
    kind: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    path, other = tmp_path / "a.snap", tmp_path / "other"
    other.write_bytes(b"my own notes")
    if kind == "text":
        path.write_bytes(b"my own notes")
    elif kind == "link":
        path.symlink_to(other)
    else:
        os.mkfifo(path)
    before = path.lstat()
    with pytest.raises(InputError, match="expected no file, or an index to replace"):
        VectorIndex.build(unit_rows(500), path=path, **settings)
    assert path.lstat() == before
    assert other.read_bytes() == b"my own notes"
    path.unlink()
    path.touch()
    for rows in (500, 400):
        assert len(VectorIndex.build(unit_rows(rows), path=path, **settings)) == rows
