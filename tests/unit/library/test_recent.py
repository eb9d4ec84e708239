"""snapseek.library.recent."""

from pathlib import Path

import pytest

from snapseek.cli import main
from snapseek.library import Library
from snapseek.library.recent import MAX_LIBRARIES, recent_libraries, remember_library
from snapseek.library.storage.schema import FILE_NAME
from snapseek.user_dirs import config_dir


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config"))


def make(path):
    path.mkdir(parents=True)
    (path / FILE_NAME).touch()
    return path


def test_the_most_recent_library_is_first(tmp_path, monkeypatch):
    first, second = make(tmp_path / "first"), make(tmp_path / "second")
    for path in (first, second, first):
        remember_library(path)
    assert recent_libraries() == [first, second]
    monkeypatch.chdir(tmp_path)
    remember_library(make(tmp_path / "relative").relative_to(tmp_path))
    assert recent_libraries() == [tmp_path / "relative", first, second]


def test_a_library_that_is_gone_is_not_listed(tmp_path):
    gone = make(tmp_path / "gone")
    remember_library(gone)
    (gone / FILE_NAME).unlink()
    assert recent_libraries() == []


def test_a_library_that_cannot_be_looked_at_hides_no_other(tmp_path, monkeypatch):
    first, second = make(tmp_path / "first"), make(tmp_path / "second")
    remember_library(first)
    remember_library(tmp_path / ("x" * 5000))
    remember_library(second)
    assert recent_libraries() == [second, first]
    is_file = Path.is_file

    def refuse(path):
        if path.parent == second:
            raise PermissionError(13, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    assert recent_libraries() == [first]


def test_the_list_is_bounded(tmp_path):
    for number in range(MAX_LIBRARIES + 5):
        remember_library(make(tmp_path / f"library{number}"))
    assert len(recent_libraries()) == MAX_LIBRARIES


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[" * 100_000, b'{"snapseek_recent": {"a": 1}}', b'{"snapseek_recent": [1, "x", "\xff"]}'],
)
def test_a_damaged_list_is_an_empty_one(content):
    config_dir().mkdir()
    (config_dir() / "recent.json").write_bytes(content)
    assert recent_libraries() == []


def test_a_foreign_file_of_that_name_stays(tmp_path):
    config_dir().mkdir()
    (config_dir() / "recent.json").write_text("mine")
    remember_library(make(tmp_path / "library"))
    assert (config_dir() / "recent.json").read_text() == "mine"


def test_without_arguments_the_first_steps_are_shown(capsys):
    assert main([]) == 0
    assert "snapseek ~/Pictures" in capsys.readouterr().out


def test_without_arguments_the_last_library_is_served(folder, encoder, tmp_path, monkeypatch):
    Library.build(folder, tmp_path / "library", encoder=encoder)
    remember_library(tmp_path / "library")
    served = []
    monkeypatch.setattr("snapseek.server.serve", lambda library, **options: served.append((library, options)))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main([]) == 0
    ((library, options),) = served
    assert library.info().path == tmp_path / "library"
    assert options["open_browser"] is True


def test_libraries_lists_what_was_indexed(folder, tiny_model, capsys):
    assert main(["libraries"]) == 0
    assert "no library" in capsys.readouterr().err
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    capsys.readouterr()
    assert main(["libraries"]) == 0
    assert capsys.readouterr().out == f"{folder / '.snapseek'}  6 pictures, {tiny_model}\n"


def test_libraries_says_which_cannot_be_opened(tmp_path, capsys):
    damaged = make(tmp_path / "damaged")
    (damaged / FILE_NAME).write_bytes(b"SQLite format 3\0 and no more")
    remember_library(damaged)
    assert main(["libraries"]) == 0
    assert "cannot be opened" in capsys.readouterr().out
