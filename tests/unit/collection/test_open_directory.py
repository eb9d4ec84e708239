"""A collection, opened by the directory of its manifest, from Python."""

import pytest

from snapseek.collection import Collection, create_collection
from snapseek.errors import LibraryNotFoundError
from snapseek.library import Library
from tests.conftest import write_pictures


@pytest.fixture
def part(tmp_path, encoder):
    return Library.build(write_pictures(tmp_path / "pictures"), tmp_path / "part", encoder=encoder)


def test_the_directory_of_a_manifest_opens_the_collection(tmp_path, part, encoder):
    (tmp_path / "all").mkdir()
    create_collection(tmp_path / "all" / "collection.json", [[str(tmp_path / "part")]])
    for path in (tmp_path / "all", tmp_path / "all" / "collection.json", str(tmp_path / "all")):
        opened = Library.open(path, encoder=encoder)
        assert isinstance(opened, Collection)
        assert len(opened) == len(part)


def test_a_library_next_to_a_manifest_is_opened_itself(tmp_path, part, encoder):
    create_collection(tmp_path / "part" / "collection.json", [[str(tmp_path / "part")]])
    assert type(Library.open(tmp_path / "part", encoder=encoder)) is Library


@pytest.mark.parametrize("content", ["{}", "", '{"a": 1}'])
def test_another_file_of_that_name_is_no_collection(tmp_path, content):
    (tmp_path / "collection.json").write_text(content)
    with pytest.raises(LibraryNotFoundError, match="got a folder without one"):
        Library.open(tmp_path)
