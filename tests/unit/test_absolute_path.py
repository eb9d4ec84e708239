import os
from pathlib import Path

import pytest

from snapseek.absolute_path import absolute_path
from snapseek.errors import StorageError
from snapseek.library import Library
from snapseek.sources import open_source


def test_a_directory_that_is_gone_is_an_error_of_ours(tmp_path, monkeypatch, library):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    assert absolute_path("a") == gone / "a"
    os.rmdir(gone)  # noqa: PTH106
    assert absolute_path(tmp_path) == tmp_path
    for use in (absolute_path, Library.open, open_source, lambda path: library.export(path, "csv")):
        with pytest.raises(StorageError, match="current directory is gone"):
            use(Path("a"))
    assert len(library.search(library.browse(1)[0].id, 2)) == 2
