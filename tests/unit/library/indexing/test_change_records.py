"""snapseek.library.indexing.change_records: add or change columns; ids, vectors and other columns stay."""

import pyarrow as pa
import pytest

from snapseek.library import Library
from snapseek.library.indexing import change_records, compact
from snapseek.library.indexing.change_records import changed_records, with_changes
from snapseek.library.storage.database import Database
from snapseek.library.storage.library_meta import fresh_version
from snapseek.library.storage.shard_files import ShardFiles, exclusive_writer
from snapseek.library.storage.shards import Shards
from tests.conftest import PICTURES
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows

ADDED = pa.schema([("text_in_picture", pa.string()), ("rating", pa.int8())])


@pytest.fixture
def own(folder, tmp_path, encoder):
    return Library.build(folder, tmp_path / "l", encoder=encoder)


def change(library, changes, columns=ADDED):
    path = library.info().path
    with exclusive_writer(path) as database:
        rows = {row.stem: row for row in database.shards.all()}
        shards = Shards(path, list(rows.values()), database.shards.tombstones())
        files = ShardFiles(database, path)
        with changed_records(files, rows, shards, changes, columns) as changed, database.transaction():
            changed.commit(database)
            database.settings.update(fresh_version())
    library.refresh()


def rows_of(library):
    library.refresh()
    return {hit.id: (library.vector(hit.id).tobytes(), hit.uri, hit.meta) for hit in library.browse(100)}


@pytest.mark.parametrize("moves", [False, True], ids=["rewritten", "moved"])
def test_a_column_is_added_and_one_is_changed(own, monkeypatch, moves):
    if moves:
        monkeypatch.setattr(change_records, "SMALL_ROWS", 0)
        monkeypatch.setattr(change_records, "_REWRITTEN_SHARE", 1)
    before = rows_of(own)
    first, second, *_ = before
    change(
        own, {first: {"text_in_picture": "EXIT", "rating": 5}, second: {"title": "Pier"}, 999: {"title": "x"}}
    )
    after = rows_of(own)
    assert after.keys() == before.keys()
    for item, (vector, uri, meta) in after.items():
        assert (vector, uri) == before[item][:2]
        changed = {first: {"rating": 5}, second: {"title": "Pier"}}.get(item, {})
        text = {"text_in_picture": "EXIT" if item == first else None}
        shown = {name: value for name, value in meta.items() if value is not None or name in before[item][2]}
        expected = before[item][2] | changed | text
        assert {n: v for n, v in shown.items() if v is not None} == {
            n: v for n, v in expected.items() if v is not None
        }
    assert [hit.id for hit in own.search("", where="text_in_picture:exit")] == [first]
    assert [hit.id for hit in own.search("", where="rating:>3")] == [first]
    assert len(own.search("", where="-has:title", limit=50)) == len(PICTURES) - 1
    assert own.verify() == []
    own.compact()
    assert {item: row[0] for item, row in rows_of(own).items()} == {
        item: row[0] for item, row in before.items()
    }


def test_nothing_to_change(own):
    before = rows_of(own)
    change(own, {999: {"title": "x"}})
    assert rows_of(own) == before


def test_imported_pictures_keep_their_source(own, tmp_path, encoder):
    path = own.info().path
    laion = write_embeddings(tmp_path / "laion", unit_rows(30, dim=3).astype("f2"))
    Library.import_vectors(laion, path, encoder=encoder)
    own.refresh()
    imported = next(hit.id for hit in own.browse(50) if "size_bytes" not in hit.meta)
    change(own, {imported: {"text_in_picture": "EXIT"}})
    assert [hit.id for hit in own.search("", where="text_in_picture:exit")] == [imported]
    assert own.verify() == []
    before = set(rows_of(own))
    Library.import_vectors(laion, path, encoder=encoder)
    assert set(rows_of(own)) == before


def test_a_failure_leaves_the_old_records(own, monkeypatch):
    before = rows_of(own)
    monkeypatch.setattr(change_records, "_replaced", fail)
    with pytest.raises(OSError, match="disk"):
        change(own, {next(iter(before)): {"title": "x"}})
    assert rows_of(own) == before
    assert len(list((own.info().path / "shards").iterdir())) == 2


def fail(*_):
    raise OSError("disk")


def test_rows_of_large_shards_move_if_they_are_few(own, monkeypatch):
    with Database.open(own.info().path) as database:
        (part,) = Shards(own.info().path, database.shards.all(), {}).parts
    assert change_records._moves(part, 1) is False
    monkeypatch.setattr(change_records, "SMALL_ROWS", 5)
    monkeypatch.setattr(change_records, "_REWRITTEN_SHARE", 0.5)
    assert [change_records._moves(part, count) for count in (1, 2, 3, 6)] == [True, True, False, False]
    assert compact.SMALL_ROWS == 10_000


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (pa.string(), "new", "new"),
        (pa.string(), 5, "5"),
        (pa.list_(pa.string()), ["a", "b"], ["a", "b"]),
        (pa.int8(), 5, 5),
        (pa.int8(), 500, 1),
        (pa.float64(), 1.5, 1.5),
        (pa.string(), None, None),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_skipped(kind, value, expected):
    old = {pa.string(): "old", pa.int8(): 1, pa.float64(): 0.5}.get(kind, ["x"])
    records = pa.record_batch({"id": pa.array([1, 2], pa.int64()), "c": pa.array([old, old], kind)})
    changed = with_changes(records, {2: {"c": value}, 7: {"c": value}}, records.schema)
    assert changed.column("c").to_pylist() == [old, expected]
