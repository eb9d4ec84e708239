from pathlib import Path

import pytest

from snapseek.errors import FormatError, LibraryBusyError, LibraryNotFoundError, StorageError
from snapseek.library.storage import database as module
from snapseek.library.storage.database import FILE_NAME, Database, FileRow, ImportRow, ShardRow

ROW = FileRow(Path("/p"), "a.jpg", 10, 20, 1, None)
BAD = FileRow(Path("/p"), "caf\udce9.jpg", 10, 20, None, "broken")


def test_what_is_written_is_read(tmp_path):
    with Database.writing(tmp_path / "l") as catalogue:
        catalogue.set_settings({"name": "x"})
        catalogue.replace_shards(None, [ShardRow("5" * 16, 2)])
        catalogue.add_file(ROW)
        catalogue.add_file(BAD)
    with Database.open(tmp_path / "l") as catalogue:
        assert catalogue.settings() == {"format": "3", "name": "x"}
        assert catalogue.shards() == [ShardRow("5" * 16, 2)]
        assert list(catalogue.files()) == [ROW, BAD]
        assert catalogue.count_failed() == 1
        assert catalogue.folders() == [Path("/p")]


def test_sources_are_replaced_one_by_one(tmp_path):
    one, two = (ImportRow(Path(name), "img_emb_0.npy", 9, 8, 7) for name in ("/one", "/two"))
    worse = ImportRow(Path("/one"), "img_emb_0.npy", 9, 8, 7, 2, "zeros")
    with Database.writing(tmp_path) as catalogue:
        catalogue.replace_shards(None, [ShardRow("a" * 16, 1)])
        for row, stem in ((one, "b"), (two, "c"), (worse, "d")):
            catalogue.replace_shards(row.source, [ShardRow(stem * 16, 7)])
            catalogue.replace_imports(row.source, [row])
    with Database.open(tmp_path) as catalogue:
        assert catalogue.imports() == [worse, two]
        assert catalogue.shards() == [
            ShardRow("a" * 16, 1),
            ShardRow("d" * 16, 7, Path("/one")),
            ShardRow("c" * 16, 7, Path("/two")),
        ]
        assert catalogue.count_failed() == 2
        assert catalogue.folders() == [Path("/one"), Path("/two")]


def test_an_error_leaves_the_old_state(tmp_path):
    with Database.writing(tmp_path) as catalogue:
        catalogue.add_file(ROW)

    def fail():
        with Database.writing(tmp_path) as catalogue:
            catalogue.clear_files()
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    with Database.open(tmp_path) as catalogue:
        assert list(catalogue.files()) == [ROW]


def test_an_error_in_the_first_write_leaves_no_folder(tmp_path):
    def fail():
        with Database.writing(tmp_path / "new"):
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    assert not (tmp_path / "new").exists()


def test_one_writer_and_readers_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BUSY_TIMEOUT_S", 0.05)
    with Database.writing(tmp_path) as first:
        first.add_file(ROW)
    with Database.writing(tmp_path) as first:
        first.clear_files()
        with Database.open(tmp_path) as reader:
            assert list(reader.files()) == [ROW]
        with pytest.raises(LibraryBusyError, match="another process"), Database.writing(tmp_path):
            pass


def test_no_library(tmp_path):
    with pytest.raises(LibraryNotFoundError, match="snapseek index"):
        Database.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_a_damaged_database(tmp_path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(FormatError, match="damaged"):
        Database.open(tmp_path)


def test_a_damaged_database_is_not_written_over(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"not a database" * 100)
    with pytest.raises(FormatError, match="damaged"), Database.writing(tmp_path):
        pass
    assert (tmp_path / FILE_NAME).read_bytes() == b"not a database" * 100


def test_a_library_of_a_newer_format(tmp_path):
    with Database.writing(tmp_path) as catalogue:
        catalogue.set_settings({"format": "99"})
    with pytest.raises(FormatError, match="format 3, found 99"):
        Database.open(tmp_path)
    with pytest.raises(FormatError, match="format 3, found 99"), Database.writing(tmp_path):
        pass


def test_a_place_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(StorageError, match="cannot make the library"),
        Database.writing(tmp_path / "file" / "l"),
    ):
        pass


def test_a_file_is_an_item_or_has_a_reason(tmp_path):
    def neither():
        with Database.writing(tmp_path / "l") as catalogue:
            catalogue.add_file(FileRow(Path("/p"), "a", 1, 1, None, None))

    with pytest.raises(FormatError, match="CHECK"):
        neither()
