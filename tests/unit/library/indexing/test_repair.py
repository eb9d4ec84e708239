"""snapseek.library.indexing.repair: what is broken goes, all else stays, and a sync makes it whole."""

import pytest

from snapseek.errors import FormatError, LibraryNotFoundError
from snapseek.library import Library, RepairReport, repair, verify
from snapseek.library.storage.database import Database
from snapseek.library.storage.schema import FILE_NAME
from tests.conftest import PICTURES
from tests.support.databases import one_commit
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows


@pytest.fixture
def library_path(folder, tmp_path, encoder):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    laion = write_embeddings(tmp_path / "laion", unit_rows(30, dim=3).astype("f2"))
    Library.import_vectors(laion, tmp_path / "l", encoder=encoder)
    return tmp_path / "l"


def ids(library):
    return {hit.uri: hit.id for hit in library.browse(99)}


def stem_of(library_path, *, imported):
    with Database.open(library_path) as database:
        (stem,) = [row.stem for row in database.shards.all() if (row.source is not None) == imported]
    return stem


def test_repair_of_a_sound_library_changes_nothing(library_path):
    version = Library.open(library_path).version
    assert repair(library_path) == RepairReport()
    assert Library.open(library_path).version == version


@pytest.mark.parametrize("suffix", [".snap", ".arrow"])
def test_pictures_of_a_broken_shard_are_embedded_again(library_path, encoder, suffix):
    before = ids(Library.open(library_path))
    (library_path / "shards" / f"{stem_of(library_path, imported=False)}{suffix}").write_bytes(b"broken")
    report = repair(library_path)
    assert (report.shards_dropped, report.to_embed, report.to_import) == (1, len(PICTURES), ())
    assert verify(library_path) == []
    library = Library.open(library_path, encoder=encoder)
    assert len(library) == 30
    assert library.sync().updated == len(PICTURES)
    assert ids(library) == before
    assert verify(library_path) == []


def test_a_broken_import_is_to_be_imported_again(library_path, tmp_path, encoder):
    (library_path / "shards" / f"{stem_of(library_path, imported=True)}.snap").unlink()
    report = repair(library_path)
    assert (report.shards_dropped, report.to_embed) == (1, 0)
    assert report.to_import == (tmp_path / "laion",)
    assert len(Library.open(library_path)) == len(PICTURES)
    library = Library.import_vectors(tmp_path / "laion", library_path, encoder=encoder)
    assert (len(library), library.verify()) == (len(PICTURES) + 30, [])


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM files WHERE item = (SELECT max(item) FROM files)",
        "UPDATE files SET item = 999 WHERE item = (SELECT max(item) FROM files)",
        "INSERT INTO tombstones SELECT stem, 999 FROM shards",
        "INSERT INTO tombstones SELECT stem, 1 FROM shards",
        "UPDATE shards SET rows = rows + 1",
        "UPDATE settings SET value = '2' WHERE name = 'next_id'",
    ],
)
def test_inconsistent_tables_are_repaired(library_path, tmp_path, encoder, statement):
    with one_commit(library_path) as database:
        database.connection.execute(statement)
    assert verify(library_path)
    assert repair(library_path).problems
    assert verify(library_path) == []
    Library.import_vectors(tmp_path / "laion", library_path, encoder=encoder)
    library = Library.open(library_path, encoder=encoder)
    library.sync()
    assert (len(library), library.verify()) == (len(PICTURES) + 30, [])
    assert len({hit.id for hit in library.browse(99)}) == len(library)


def test_repair_refuses_an_unreadable_database(library_path):
    (library_path / FILE_NAME).write_bytes(b"not a database" * 100)
    with pytest.raises(FormatError, match="damaged"):
        repair(library_path)
    with pytest.raises(LibraryNotFoundError):
        repair(library_path / "nowhere")
