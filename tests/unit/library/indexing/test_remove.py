"""snapseek.library.indexing.remove: pictures taken out of a library while their files stay."""

import pytest
from PIL import Image

from snapseek.errors import InputError, ItemNotFoundError
from snapseek.library import Library, verify
from tests.conftest import PICTURES
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows


@pytest.fixture
def opened(folder, tmp_path, encoder) -> Library:
    return Library.build(folder, tmp_path / "l", encoder=encoder)


def names(library):
    return {library.original_path(hit.id).name for hit in library.browse(99)}


ALL = {name.rpartition("/")[2] for name in PICTURES}


def test_remove_by_id(opened):
    best = opened.search("red", 2)
    assert opened.remove([hit.id for hit in best]) == 2
    assert len(opened) == len(opened.search("red", 99)) == len(PICTURES) - 2
    assert not {hit.id for hit in best} & {hit.id for hit in opened.browse(99)}
    assert verify(opened.info().path) == []


def test_remove_by_path(opened, folder):
    assert opened.remove(folder / "red.jpg") == 1
    assert opened.remove([folder / "deep"]) == 2
    assert names(opened) == ALL - {"red.jpg", "blue.webp", "yellow.gif"}
    assert all((folder / name).exists() for name in PICTURES)


def test_removed_pictures_return_only_by_add(opened, folder):
    opened.remove(folder / "red.jpg")
    report = opened.sync()
    assert (report.added, report.unchanged) == (0, len(PICTURES))
    assert (report.removed_before, report.failed_before) == (1, 0)
    assert opened.failures() == []
    assert opened.info().failed == 0
    assert opened.add(folder / "red.jpg").added == 1
    assert names(opened) == ALL


def test_a_removed_file_that_changes_is_indexed_again(opened, folder):
    opened.remove(folder / "red.jpg")
    Image.new("RGB", (9, 9), "cyan").save(folder / "red.jpg")
    assert opened.sync().added == 1


def test_a_removed_file_that_moves_stays_removed(opened, folder):
    opened.remove(folder / "red.jpg")
    (folder / "red.jpg").rename(folder / "rouge.jpg")
    report = opened.sync()
    assert (report.added, report.moved) == (0, 0)
    assert opened.sync().unchanged == len(PICTURES)
    assert names(opened) == ALL - {"red.jpg"}


def test_a_whole_folder_is_forgotten(opened, folder, tmp_path):
    Image.new("RGB", (9, 9), "cyan").save(tmp_path / "one.png")
    opened.add(tmp_path / "one.png")
    assert opened.remove(folder) == len(PICTURES)
    assert list(opened.info().folders) == [tmp_path]
    assert opened.sync().unchanged == 1
    assert opened.sync(folder).added == len(PICTURES)


def test_an_import_is_forgotten(opened, tmp_path, encoder):
    laion = write_embeddings(tmp_path / "laion", unit_rows(30, dim=3).astype("f2"))
    library = Library.import_vectors(laion, tmp_path / "l", encoder=encoder)
    item = library.search("red", 1, exact=True)[0].id
    assert library.remove(item) == 1
    assert len(library) == len(PICTURES) + 29
    left = 30 - (item > len(PICTURES))
    assert library.remove(laion) == left
    assert opened.refresh()
    assert opened.search("red", 99).total == len(library) == len(PICTURES) - (left == 30)
    assert not library.info().has_remote


def test_remove_is_atomic(opened, folder, tmp_path):
    with pytest.raises(ItemNotFoundError, match="7000"):
        opened.remove([1, 7000])
    with pytest.raises(InputError, match="expected a picture or folder of this library"):
        opened.remove([1, tmp_path / "else"])
    with pytest.raises(InputError, match="expected a picture or folder of this library"):
        opened.remove(folder / "re")
    assert len(opened) == len(PICTURES)


def test_everything(opened):
    opened.remove([hit.id for hit in opened.browse(99)])
    assert len(opened) == 0
    assert opened.search("red") == opened.browse() == []
    assert len(Library.open(opened.info().path)) == 0
