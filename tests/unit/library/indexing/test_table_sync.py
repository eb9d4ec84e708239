"""The row of a table that changes later changes the record of its picture; nothing is embedded."""

import os

import pytest

from snapseek.library import Library
from snapseek.library.indexing import sync
from tests.support.picture_sources import picture


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "p").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "p" / name).write_bytes(picture("red" if name == "a.jpg" else "blue"))
    return tmp_path / "p"


TABLE = "file_name,text,label\na.jpg,a red door,5\nb.jpg,a blue door,6\n"
LIST = "image_path,caption,label\np/a.jpg,a red door,5\np/b.jpg,a blue door,6\n"


@pytest.fixture(params=["a table in the folder", "a list of paths"])
def table(request, folder, tmp_path):
    """A function that writes the table, and the path of the source."""
    is_list = request.param == "a list of paths"
    path = tmp_path / "list.csv" if is_list else folder / "metadata.csv"

    def write(text):
        text = text.replace("file_name,text", "image_path,caption") if is_list else text
        path.write_text(text.replace("\n", "\np/").removesuffix("p/") if is_list else text)

    write(TABLE)
    return write, path if is_list else folder


@pytest.fixture
def library(table, tmp_path, encoder, monkeypatch):
    library = Library.build(table[1], tmp_path / "l", encoder=encoder)

    def never(*_):
        raise AssertionError("something was embedded")

    monkeypatch.setattr(sync, "embed_pictures", never)
    return library


def described(library):
    library.refresh()
    return {hit.meta["name"]: (hit.caption, hit.meta.get("label")) for hit in library.browse(9)}


def ids(library):
    return {hit.meta["name"]: hit.id for hit in library.browse(9)}


BEFORE = {"a.jpg": ("a red door", 5), "b.jpg": ("a blue door", 6)}


def test_a_changed_row(table, library):
    before = ids(library)
    assert described(library) == BEFORE
    table[0](TABLE.replace("a red door,5", "a green door,"))
    report = library.sync()
    assert (report.described, report.unchanged) == (1, 1)
    assert described(library) == BEFORE | {"a.jpg": ("a green door", None)}
    assert ids(library) == before
    assert library.sync().described == 0


def test_a_new_column_and_a_column_of_another_type(table, library):
    table[0](TABLE.replace("label\n", "label,zoo\n").replace(",5\n", ",five,x\n").replace(",6\n", ",6,\n"))
    library.sync()
    assert described(library) == {"a.jpg": ("a red door", "five"), "b.jpg": ("a blue door", "6")}
    assert [hit.meta["name"] for hit in library.search("", where="zoo:x")] == ["a.jpg"]
    assert library.verify() == []


def test_a_touched_file_keeps_what_its_row_says(table, library, folder):
    for name in ("a.jpg", "b.jpg"):
        os.utime(folder / name, (1, 1))
    assert library.sync().described == 0
    assert described(library) == BEFORE


def test_all_metadata_is_read_again_with_the_rows(table, library):
    library.sync(metadata=True)
    assert described(library) == BEFORE


def test_a_moved_file_gets_its_new_row(table, library, folder):
    (folder / "a.jpg").rename(folder / "z.jpg")
    os.utime(folder / "b.jpg", (1, 1))
    table[0](TABLE.replace("a.jpg,a red", "z.jpg,a grey"))
    assert library.sync().moved == 1
    assert described(library) == {"z.jpg": ("a grey door", 5), "b.jpg": ("a blue door", 6)}


def test_a_table_that_is_removed(folder, tmp_path, encoder):
    (folder / "metadata.csv").write_text(TABLE)
    (folder / "b.txt").write_text("typed words")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    (folder / "metadata.csv").unlink()
    assert library.sync().described == 2
    assert described(library) == {"a.jpg": (None, None), "b.jpg": ("typed words", None)}


def test_a_sidecar_next_to_a_picture_of_a_list(table, library, folder):
    (folder / "a.jpg.txt").write_text("typed words")
    table[0](TABLE.replace("a red door", ""))
    library.sync()
    assert described(library)["a.jpg"] == ("typed words", 5)


def test_a_single_added_file_keeps_its_row(folder, tmp_path, encoder):
    (folder / "metadata.csv").write_text(TABLE + "c.jpg,a grey door,7\n")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    (folder / "c.jpg").write_bytes(picture("green"))
    library.add(folder / "c.jpg")
    library.add(folder / "a.jpg")
    assert described(library) == BEFORE | {"c.jpg": ("a grey door", 7)}
    assert library.sync().described == 0
