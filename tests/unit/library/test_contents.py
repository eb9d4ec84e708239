"""A library as a collection: `len`, `in`, `library[id]`, iteration, `with`, and how it is opened."""

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snapseek import Encoder, Library, VectorIndex
from snapseek.errors import (
    ConstructorError,
    InputError,
    ItemNotFoundError,
    LibraryError,
    LibraryNotFoundError,
)
from snapseek.library.storage import shards
from tests.conftest import PICTURES, write_pictures


@pytest.fixture
def inside(tmp_path, encoder) -> Path:
    """A folder with its library inside."""
    folder = write_pictures(tmp_path / "album")
    Library.build(folder, encoder=encoder)
    return folder


def test_an_id_is_in_its_library(library):
    ids = [hit.id for hit in library]
    assert all(item in library for item in ids)
    assert np.int64(ids[0]) in library
    for other in (max(ids) + 1, -1, 2**80, "1", 1.0, None, True, np.array([ids[0]]), Path("red.jpg")):
        assert other not in library


def test_a_removed_id_is_in_it_no_more(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    first = next(iter(library)).id
    library.remove(first)
    assert first not in library
    assert first not in [hit.id for hit in library]
    assert len(list(library)) == len(library) == len(PICTURES) - 1


def test_a_picture_is_found_by_its_id(library):
    hit = library.search("red", limit=1)[0]
    found = library[hit.id]
    assert (found.id, found.uri, found.score) == (hit.id, hit.uri, None)
    assert library[np.int64(hit.id)] == found
    assert found.path == library.original_path(hit.id)
    with Image.open(found.path) as picture:
        assert picture.size == (60, 40)


@pytest.mark.parametrize("item", ["1", 1.5, None, slice(3), True, [1], np.array([1])])
def test_what_is_no_id_is_refused(library, item):
    with pytest.raises(InputError, match="expected the id of a picture, an integer"):
        library[item]


@pytest.mark.parametrize("item", [0, -1, 10**6, 2**80])
def test_an_unknown_id_is_not_found(library, item):
    with pytest.raises(ItemNotFoundError):
        library[item]


def test_iterating_reads_block_by_block(library, monkeypatch):
    whole = list(library)
    sizes = []
    inner = shards.Shards.records

    def counted(self, refs):
        sizes.append(len(refs))
        return inner(self, refs)

    monkeypatch.setattr(shards, "BLOCK_ROWS", 2)
    monkeypatch.setattr(shards.Shards, "records", counted)
    iterator = iter(library)
    assert next(iterator) == whole[0]
    assert sizes == [2]
    assert [*iterator] == whole[1:]
    assert max(sizes) == 2


def test_an_iteration_is_of_one_state(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    iterator = iter(library)
    first = next(iterator)
    library.remove([hit.id for hit in library][1:])
    assert len(library) == 1
    assert len([first, *iterator]) == len(PICTURES)


def test_a_block_closes_its_library(library):
    with Library.open(library.snapshot().path) as opened:
        snapshot = opened.snapshot()
        assert len(opened) == len(PICTURES)
    for use in (len, list, opened.info, opened.refresh, lambda: opened.search("red"), lambda: 1 in opened):
        with pytest.raises(LibraryError, match="to be open, got one that was closed; open it again with"):
            use(opened) if use in (len, list) else use()
    assert len(snapshot) == len(PICTURES)
    opened.close()  # again


def test_a_closed_library_does_not_read_its_database(library, monkeypatch):
    opened = Library.open(library.snapshot().path)
    monkeypatch.setattr("snapseek.library.snapshot_cache._CHECK_INTERVAL_S", 0)
    failures = []

    def search():
        try:
            while True:
                opened.browse(1)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    opened.close()
    for thread in threads:
        thread.join(30)
    assert [type(error) for error in failures] == [LibraryError] * 4


def test_an_error_in_a_block_is_not_hidden(library):
    with pytest.raises(ZeroDivisionError), Library.open(library.snapshot().path):
        raise ZeroDivisionError


def test_a_folder_of_pictures_opens_its_library(inside):
    for path in (inside, str(inside), inside / ".snapseek"):
        with Library.open(path) as opened:
            assert len(opened) == len(PICTURES)
            assert opened.snapshot().path == inside / ".snapseek"


def test_a_folder_without_a_library_says_how_to_make_one(folder):
    with pytest.raises(LibraryNotFoundError, match="a folder without one") as caught:
        Library.open(folder)
    assert f"Library.build(FOLDER, {str(folder / '.snapseek')!r})" in str(caught.value)
    assert not (folder / ".snapseek").exists()


@pytest.mark.parametrize("path", ["", 3, None, ["a"]])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InputError, match="expected the path of a library"):
        Library.open(path)


@pytest.mark.parametrize(
    ("call", "ways", "got"),
    [
        (lambda: Library("x"), ["Library.open(", "Library.build("], "Library('x')"),
        (lambda: Library(), ["Library.open("], "Library()"),
        (lambda: Library(path="x", load="ram"), ["Library.open("], "Library(path='x', load='ram')"),
        (lambda: Library("x" * 500), ["Library.open("], "Library('xxx"),
        (lambda: VectorIndex(dim=64), ["VectorIndex.build(", "VectorIndex.open("], "VectorIndex(dim=64)"),
        (lambda: VectorIndex(np.zeros((2, 2))), ["VectorIndex.build("], "VectorIndex(array("),
        (lambda: Encoder("starter"), ["Encoder.load("], "Encoder('starter')"),
        (lambda: Encoder(None), ["Encoder.load("], "Encoder(None)"),
    ],
)
def test_a_constructor_names_the_right_way(call, ways, got):
    with pytest.raises(ConstructorError) as caught:
        call()
    assert isinstance(caught.value, TypeError)
    assert all(way in str(caught.value) for way in ways)
    assert got in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_library_shows_its_facts_in_a_notebook(library):
    page = library._repr_html_()
    assert f'<td style="text-align:left">{len(PICTURES)}</td>' in page
    assert "pictures" in page
    assert "dimensions" in page


def test_the_facts_of_a_library_are_escaped(tmp_path, encoder):
    folder = write_pictures(tmp_path / "<b>&")
    page = Library.build(folder, tmp_path / "<script>", encoder=encoder)._repr_html_()
    assert "<b>&<" not in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_model_shows_its_name(encoder):
    assert repr(encoder) == f"<Encoder {encoder.name!r}: {encoder.dim} dimensions>"
