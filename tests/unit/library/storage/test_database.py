from pathlib import Path

import pytest

from snapseek.errors import FormatError, LibraryBusyError, LibraryNotFoundError, StorageError
from snapseek.library.storage import database as module
from snapseek.library.storage.database import Database
from snapseek.library.storage.file_table import FileRow
from snapseek.library.storage.import_table import ImportRow
from snapseek.library.storage.schema import FILE_NAME
from snapseek.library.storage.shard_table import ShardRow
from tests.support.databases import add_file, clear_files, one_commit

ROW = FileRow(Path("/p"), "a.jpg", 10, 20, 1, None)
BAD = FileRow(Path("/p"), "caf\udce9.jpg", 10, 20, None, "broken")


def test_what_is_written_is_read(tmp_path):
    with one_commit(tmp_path / "l") as database:
        database.settings.update({"name": "x"})
        database.shards.replace(None, [ShardRow("5" * 16, 2)])
        add_file(database, ROW)
        add_file(database, BAD)
    with Database.open(tmp_path / "l") as database:
        assert database.settings.all() == {"format": "3", "name": "x"}
        assert database.shards.all() == [ShardRow("5" * 16, 2)]
        assert list(database.files.all()) == [ROW, BAD]
        assert database.count_failed() == 1
        assert [source.path for source in database.sources.all()] == [Path("/p")]


def test_sources_are_replaced_one_by_one(tmp_path):
    one, two = (ImportRow(Path(name), "img_emb_0.npy", 9, 8, 7) for name in ("/one", "/two"))
    worse = ImportRow(Path("/one"), "img_emb_0.npy", 9, 8, 7, 2, "zeros")
    with one_commit(tmp_path) as database:
        database.shards.replace(None, [ShardRow("a" * 16, 1)])
        for row, stem in ((one, "b"), (two, "c"), (worse, "d")):
            database.shards.replace(row.source, [ShardRow(stem * 16, 7)])
            database.imports.replace(row.source, [row])
    with Database.open(tmp_path) as database:
        assert database.imports.all() == [worse, two]
        assert database.shards.all() == [
            ShardRow("a" * 16, 1),
            ShardRow("d" * 16, 7, Path("/one")),
            ShardRow("c" * 16, 7, Path("/two")),
        ]
        assert database.count_failed() == 2
        assert [source.path for source in database.sources.all()] == [Path("/one"), Path("/two")]


def test_an_error_leaves_the_old_state(tmp_path):
    with one_commit(tmp_path) as database:
        add_file(database, ROW)

    def fail():
        with one_commit(tmp_path) as database:
            clear_files(database)
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    with Database.open(tmp_path) as database:
        assert list(database.files.all()) == [ROW]


def test_an_error_in_the_first_write_leaves_no_folder(tmp_path):
    def fail():
        with one_commit(tmp_path / "new"):
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    assert not (tmp_path / "new").exists()


def test_one_writer_and_concurrent_readers(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BUSY_TIMEOUT_S", 0.05)
    with one_commit(tmp_path) as first:
        add_file(first, ROW)
    with one_commit(tmp_path) as first:
        clear_files(first)
        with Database.open(tmp_path) as reader:
            assert list(reader.files.all()) == [ROW]
        with pytest.raises(LibraryBusyError, match="another process"), one_commit(tmp_path):
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
    with pytest.raises(FormatError, match="damaged"), one_commit(tmp_path):
        pass
    assert (tmp_path / FILE_NAME).read_bytes() == b"not a database" * 100


def test_a_library_of_a_newer_format(tmp_path):
    with one_commit(tmp_path) as database:
        database.settings.update({"format": "99"})
    with pytest.raises(FormatError) as reading:
        Database.open(tmp_path)
    with pytest.raises(FormatError) as writing, one_commit(tmp_path):
        pass
    assert reading.value.got == writing.value.got == f"format 99 in {tmp_path / FILE_NAME}"


def test_a_directory_that_cannot_be_created(tmp_path):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(StorageError, match="cannot create the library"),
        one_commit(tmp_path / "file" / "l"),
    ):
        pass


def test_a_file_has_either_an_item_or_a_reason(tmp_path):
    def neither():
        with one_commit(tmp_path / "l") as database:
            add_file(database, FileRow(Path("/p"), "a", 1, 1, None, None))

    with pytest.raises(FormatError, match="CHECK"):
        neither()
