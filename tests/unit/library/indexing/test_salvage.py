"""snapseek.library.indexing.salvage: a value that is not valid costs neither its picture nor its shard."""

import pyarrow as pa
import pytest

from snapseek.library import Library, repair, verify
from snapseek.library.storage.database import Database
from snapseek.library.storage.fsync import crc_of
from tests.support.databases import one_commit
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows

ROWS = 30


@pytest.fixture
def library_path(tmp_path, encoder):
    laion = write_embeddings(tmp_path / "laion", unit_rows(ROWS, dim=3).astype("f2"))
    Library.import_vectors(laion, tmp_path / "l", encoder=encoder)
    return tmp_path / "l"


def not_utf8(column):
    """The same texts, with 0xff as the first byte of the first one."""
    texts = [text.encode() for text in column.to_pylist()]
    data = pa.array([b"\xff" + texts[0][1:], *texts[1:]], pa.binary())
    return pa.Array.from_buffers(pa.string(), len(column), data.buffers())


def not_utf8_in_a_list(column):
    entries = not_utf8(pa.array(["x"] * len(column)))
    return pa.ListArray.from_arrays(pa.array(range(len(column) + 1), pa.int32()), entries)


def too_large(column):
    return pa.array([b"x" * 501, *column.to_pylist()[1:]], pa.binary())


def rewrite(library_path, name, change, *, is_written_so=True):
    """Write the records with a changed column; with their checksum as another version would have."""
    with Database.open(library_path) as database:
        (row,) = database.shards.all()
    path = library_path / "shards" / f"{row.stem}.arrow"
    reader = pa.ipc.open_file(pa.py_buffer(path.read_bytes()))
    (batch,) = [reader.get_batch(index) for index in range(reader.num_record_batches)]
    columns = [
        change(batch.column(each)) if each == name else batch.column(each) for each in batch.schema.names
    ]
    changed = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
    with path.open("wb") as file, pa.ipc.new_file(file, changed.schema) as writer:
        writer.write_batch(changed)
    if is_written_so:
        with one_commit(library_path) as database:
            database.connection.execute("UPDATE shards SET records_crc = ?", (crc_of(path),))


@pytest.mark.parametrize(
    ("column", "change", "is_kept"),
    [
        ("uri", not_utf8, lambda value: value.startswith("ÿttps://pictures.example/")),
        ("caption", not_utf8, lambda value: value.startswith("ÿaption")),
        ("key", not_utf8, lambda value: value.startswith("ÿ-")),
        ("key", not_utf8_in_a_list, lambda value: value is None),
        ("preview", too_large, lambda value: value == b""),
    ],
)
def test_a_shard_with_one_bad_value_keeps_all_rows(library_path, encoder, column, change, is_kept):
    rewrite(library_path, column, change)
    assert verify(library_path)
    report = repair(library_path)
    assert (report.shards_rewritten, report.shards_dropped, report.to_import) == (1, 0, ())
    assert report.problems
    assert verify(library_path) == []
    hits = list(Library.open(library_path, encoder=encoder).browse(ROWS))
    assert len(hits) == ROWS
    assert any(is_kept(hit.meta[column] if column == "key" else getattr(hit, column)) for hit in hits)


def test_records_that_the_disk_changed_are_dropped(library_path):
    rewrite(library_path, "caption", not_utf8, is_written_so=False)
    report = repair(library_path)
    assert (report.shards_rewritten, report.shards_dropped) == (0, 1)
    assert verify(library_path) == []


def test_damaged_ids_are_not_salvaged(library_path):
    rewrite(library_path, "id", lambda column: pa.array([7] * len(column), pa.int64()))
    report = repair(library_path)
    assert (report.shards_rewritten, report.shards_dropped) == (0, 1)
