"""snapseek.library.indexing.verify: any damage is found, and what is whole is said to be."""

import shutil

import pyarrow as pa
import pytest

from snapseek.errors import LibraryNotFoundError
from snapseek.library import Library, verify
from snapseek.library.records.arrow_file import SCHEMA
from snapseek.library.storage.database import Database
from snapseek.library.storage.schema import FILE_NAME
from tests.conftest import PICTURES, write_pictures
from tests.support.databases import one_commit
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows


@pytest.fixture
def grown(folder, tmp_path, encoder):
    """A library with a tombstone, a moved picture, one that is broken, and vectors."""
    library_path = tmp_path / "l"
    library = Library.build(folder, library_path, encoder=encoder)
    laion = write_embeddings(tmp_path / "laion", unit_rows(30, dim=3).astype("f2"))
    Library.import_vectors(laion, library_path, encoder=encoder)
    (folder / "bad.jpg").write_bytes(b"x")
    (folder / "red.jpg").rename(folder / "deep" / "red2.jpg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("snapseek.library.indexing.compact.SMALL_ROWS", 0)
        patch.setattr("snapseek.library.indexing.compact._MAX_DELETED", 1)
        patch.setattr("snapseek.library.indexing.change_records.SMALL_ROWS", 0)
        patch.setattr("snapseek.library.indexing.change_records._REWRITTEN_SHARE", 1)
        library.sync()
        library.refresh()
        library.remove(library.search("green", 1)[0].id)
    with Database.open(library_path) as opened:
        assert opened.shards.tombstones()
        assert len(opened.shards.all()) == 3
    return library_path


def shards(library_path, suffix):
    return sorted((library_path / "shards").glob(f"*{suffix}"))


def test_a_sound_library_has_no_problems(grown):
    assert verify(grown) == []
    assert Library.open(grown).verify() == []


def test_progress_ends_at_1(grown):
    seen = []
    verify(grown, seen.append)
    assert seen[-1] == 1


def test_no_library(tmp_path):
    with pytest.raises(LibraryNotFoundError):
        verify(tmp_path)


@pytest.mark.parametrize("suffix", [".snap", ".arrow"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "swapped"])
def test_any_damage_to_a_file_is_found(grown, suffix, damage):
    for number in range(3):
        path = shards(grown, suffix)[number]
        good = path.read_bytes()
        data = bytearray(good)
        data[len(data) // 2] ^= 1
        other = shards(grown, suffix)[number - 1].read_bytes()
        broken = {"empty": b"", "cut": good[:-9], "flipped": bytes(data), "swapped": other}
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(broken[damage])
        problems = verify(grown)
        assert path.stem in {problem.path.name.split(".")[0] for problem in problems}
        path.write_bytes(good)
        assert verify(grown) == []


def test_every_bit_of_the_records_counts(grown):
    path = shards(grown, ".arrow")[0]
    good = path.read_bytes()
    for library_path in range(0, len(good), len(good) // 40):
        data = bytearray(good)
        data[library_path] ^= 0x10
        path.write_bytes(data)
        assert verify(grown) != []


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM files WHERE item = (SELECT max(item) FROM files)", "rows that no file is known for"),
        ("UPDATE files SET item = 999 WHERE item = (SELECT max(item) FROM files)", "found none for 1"),
        ("DELETE FROM tombstones", "newer shard has, too"),
        ("INSERT INTO tombstones SELECT stem, 999 FROM shards", "tombstones of no row"),
        ("UPDATE shards SET rows = rows + 1", "expected 7 rows of dimension 3, got 6 rows of dimension 3"),
        ("UPDATE settings SET value = '2' WHERE name = 'next_id'", "next_id of at least"),
    ],
)
def test_inconsistent_tables_are_found(grown, statement, message):
    with one_commit(grown) as opened:
        opened.connection.execute(statement)
    assert any(message in problem.message for problem in verify(grown))


def test_a_damaged_database_is_found(folder, tmp_path, encoder, monkeypatch):
    many = tmp_path / "many"
    for number in range(30):
        shutil.copytree(write_pictures(tmp_path / "p"), many / str(number))
    Library.build(many, tmp_path / "l", encoder=encoder)
    path = tmp_path / "l" / FILE_NAME
    data = bytearray(path.read_bytes())
    data[-2000:-1000] = b"\xff" * 1000
    path.write_bytes(data)
    assert any(problem.path == path for problem in verify(tmp_path / "l"))


def test_a_preview_that_is_too_large_is_found(folder, tmp_path, encoder, monkeypatch):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    (path,) = shards(tmp_path / "l", ".arrow")
    with pa.ipc.open_file(path) as reader:
        table = reader.read_all()
    previews = pa.array([b"x" * 501] * len(PICTURES), pa.binary())
    table = table.set_column(table.schema.get_field_index("preview"), table.schema.field("preview"), previews)
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    with one_commit(tmp_path / "l") as opened:
        opened.connection.execute("UPDATE shards SET records_crc = NULL")
    assert "at most 500 bytes, got one of 501" in library.verify()[0].message


def test_a_flipped_bit_of_a_column_index_is_found_and_repaired(grown, monkeypatch):
    monkeypatch.setattr("snapseek.library.columns.column_store.KEPT_ROWS", 1)
    expected = Library.open(grown).browse(where="type:jpeg").total
    path = shards(grown, f".{SCHEMA.get_field_index('kind')}.facet")[0]
    whole = path.read_bytes()
    for library_path in (-1, 20):  # in the last array, in the header
        data = bytearray(whole)
        data[library_path] ^= 1
        path.write_bytes(data)
        assert Library.open(grown).browse(where="type:jpeg").total == expected
        path.write_bytes(data)
        (problem,) = verify(grown)
        assert problem.path == path
        report = Library.open(grown).repair()
        assert report.problems == (problem,)
        assert report.shards_dropped == 0
        assert verify(grown) == []
        assert path.read_bytes() == whole
