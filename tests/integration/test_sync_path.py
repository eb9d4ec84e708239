"""`snapseek sync FOLDER` finds the library of the folder."""

import pytest

from snapseek.cli import main
from snapseek.library import Library
from tests.support.picture_sources import picture


@pytest.fixture
def library(folder, encoder):
    return Library.build(folder, folder / ".snapseek", encoder=encoder)


@pytest.mark.parametrize("below", ["", "deep"])
def test_a_folder_with_a_library(library, folder, tmp_path, monkeypatch, below, capfd):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    before = len(library)
    (folder / "deep" / "new.jpg").write_bytes(picture("green"))
    assert main(["sync", str(folder / below)]) in (0, None), capfd.readouterr().err
    library.refresh()
    assert len(library) == before + 1


def test_a_folder_without_a_library(tmp_path, monkeypatch, capfd):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert main(["sync", str(tmp_path)]) == 1
    assert "snapseek index FOLDER" in capfd.readouterr().err
