"""snapseek.file_kinds: which optional packages are there."""

import pytest

from snapseek.file_kinds import is_installed


@pytest.mark.parametrize(("file", "expected"), [("x.txt", False), ("__init__.py", True)])
def test_a_folder_is_no_package(file, expected, tmp_path, monkeypatch):
    (tmp_path / "only_a_folder").mkdir()
    (tmp_path / "only_a_folder" / file).touch()
    assert not is_installed("only_a_folder")
    monkeypatch.syspath_prepend(tmp_path)
    assert is_installed("only_a_folder") == expected
