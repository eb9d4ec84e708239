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
def place(folder, tmp_path, encoder):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    laion = write_embeddings(tmp_path / "laion", unit_rows(30, dim=3).astype("f2"))
    Library.import_vectors(laion, tmp_path / "l", encoder=encoder)
    return tmp_path / "l"


def ids(library):
    return {hit.uri: hit.id for hit in library.browse(99)}


def stem_of(place, *, imported):
    with Database.open(place) as database:
        (stem,) = [row.stem for row in database.shards.all() if (row.source is not None) == imported]
    return stem


def test_a_whole_library_stays_as_it_is(place):
    version = Library.open(place).version
    assert repair(place) == RepairReport()
    assert Library.open(place).version == version


@pytest.mark.parametrize("suffix", [".snap", ".arrow"])
def test_pictures_of_a_broken_shard_are_embedded_again(place, encoder, suffix):
    before = ids(Library.open(place))
    (place / "shards" / f"{stem_of(place, imported=False)}{suffix}").write_bytes(b"broken")
    report = repair(place)
    assert (report.shards_dropped, report.to_embed, report.to_import) == (1, len(PICTURES), ())
    assert verify(place) == []
    library = Library.open(place, encoder=encoder)
    assert len(library) == 30
    assert library.sync().updated == len(PICTURES)
    assert ids(library) == before
    assert verify(place) == []


def test_a_broken_import_is_to_be_imported_again(place, tmp_path, encoder):
    (place / "shards" / f"{stem_of(place, imported=True)}.snap").unlink()
    report = repair(place)
    assert (report.shards_dropped, report.to_embed) == (1, 0)
    assert report.to_import == (tmp_path / "laion",)
    assert len(Library.open(place)) == len(PICTURES)
    library = Library.import_vectors(tmp_path / "laion", place, encoder=encoder)
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
def test_a_catalogue_that_tells_another_story_is_mended(place, tmp_path, encoder, statement):
    with one_commit(place) as database:
        database.connection.execute(statement)
    assert verify(place)
    assert repair(place).problems
    assert verify(place) == []
    Library.import_vectors(tmp_path / "laion", place, encoder=encoder)
    library = Library.open(place, encoder=encoder)
    library.sync()
    assert (len(library), library.verify()) == (len(PICTURES) + 30, [])
    assert len({hit.id for hit in library.browse(99)}) == len(library)


def test_a_catalogue_that_cannot_be_read(place):
    (place / FILE_NAME).write_bytes(b"not a database" * 100)
    with pytest.raises(FormatError, match="damaged"):
        repair(place)
    with pytest.raises(LibraryNotFoundError):
        repair(place / "nowhere")
