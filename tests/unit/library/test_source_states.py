"""The sources of a library: their states, their pictures, and folders whose files are gone."""

import json
import shutil

import pytest

from snapseek.library import Library
from snapseek.library.source_states import IMPORTED, MISSING, READY, UNCONFIRMED
from snapseek.library.storage.database import Database
from snapseek.library.storage.last_sync import LastSync, record_sync
from snapseek.library.storage.shard_files import exclusive_writer
from tests.conftest import write_pictures
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows


@pytest.fixture
def library(tmp_path, encoder):
    write_pictures(tmp_path / "a")
    write_pictures(tmp_path / "b" / "2019")
    return Library.build([tmp_path / "a", tmp_path / "b"], tmp_path / "l", encoder=encoder)


def states(library):
    return {source.path.name: (source.state, source.pictures) for source in library.sources().sources}


def test_every_source_is_ready_after_the_first_index(library):
    assert states(library) == {"a": (READY, 6), "b": (READY, 6)}
    assert library.sources().last_sync is not None
    assert library.sources().missing == ()


def test_a_folder_without_files_waits_until_somebody_accepts_it(library, tmp_path):
    shutil.rmtree(tmp_path / "b" / "2019")
    (tmp_path / "b" / "2019").mkdir()
    library.sync()
    assert states(library) == {"a": (READY, 6), "b": (MISSING, 6)}
    shutil.rmtree(tmp_path / "a")
    library.sync()
    found = library.sources()
    assert states(library) == {"a": (MISSING, 6), "b": (MISSING, 6)}
    assert {(folder.path, folder.pictures) for folder in found.missing} == {
        (tmp_path / "a", 6),
        (tmp_path / "b", 6),
    }
    library.sync(accept_missing=tmp_path / "b")
    found = library.sources()
    assert [folder.path for folder in found.missing] == [tmp_path / "a"]
    assert len(library) == 6


def test_an_empty_folder_inside_a_source_waits_too(library, tmp_path):
    write_pictures(tmp_path / "b" / "2020")
    library.sync()
    shutil.rmtree(tmp_path / "b" / "2019")
    (tmp_path / "b" / "2019").mkdir()
    library.sync()
    (folder,) = library.sources().missing
    assert (folder.path, folder.pictures) == (tmp_path / "b" / "2019", 6)
    assert states(library)["b"] == (READY, 12)


def test_a_sync_of_one_folder_keeps_what_is_known_of_the_others(library, tmp_path):
    shutil.rmtree(tmp_path / "a")
    library.sync()
    library.sync(tmp_path / "b")
    assert [folder.path for folder in library.sources().missing] == [tmp_path / "a"]
    write_pictures(tmp_path / "a")
    library.sync(tmp_path / "a")
    assert library.sources().missing == ()


def test_a_folder_that_nobody_has_named_is_unconfirmed(library, tmp_path, monkeypatch):
    shutil.move(tmp_path / "l", tmp_path / "elsewhere" / "l")
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config"))
    assert states(Library.open(tmp_path / "elsewhere" / "l")) == {
        "a": (UNCONFIRMED, 6),
        "b": (UNCONFIRMED, 6),
    }
    opened = Library.open(tmp_path / "elsewhere" / "l", allow_roots=[tmp_path / "a"])
    assert states(opened) == {"a": (READY, 6), "b": (UNCONFIRMED, 6)}


def test_imported_vectors_are_a_source(tmp_path, encoder):
    write_embeddings(tmp_path / "vectors", unit_rows(5, dim=encoder.dim).astype("f2"))
    library = Library.import_vectors(tmp_path / "vectors", tmp_path / "l", encoder=encoder)
    assert states(library) == {"vectors": (IMPORTED, 5)}


@pytest.mark.parametrize(
    "value",
    [
        *("", "null", "[]", "7", "[" * 2000),
        *('{"ended": 7, "missing": []}', '{"ended": "yesterday", "missing": []}'),
        *('{"ended": "2025-01-01T00:00:00+00:00"}', '{"ended": "2025-01-01T00:00:00+00:00", "missing": [7]}'),
    ],
)
def test_an_entry_of_another_form_counts_as_none(library, tmp_path, value):
    with exclusive_writer(tmp_path / "l") as database, database.transaction():
        database.settings.update({"last_sync": value})
    assert library.sources().last_sync is None


def test_paths_of_a_stranger_are_checked(library, tmp_path):
    paths = ["relative", "/a/../etc", "/nul\0", "/etc"]
    entry = {"ended": "2025-01-01T00:00:00+00:00", "missing": paths}
    with exclusive_writer(tmp_path / "l") as database, database.transaction():
        database.settings.update({"last_sync": json.dumps(entry)})
    assert library.sources().missing == ()
    with Database.open(tmp_path / "l") as database:
        assert [str(path) for path in LastSync.read(database).missing] == ["/etc"]


def test_many_long_paths_fit_into_one_entry(library, tmp_path):
    paths = [tmp_path / f"{number}" / ("\udcff" * 2000) for number in range(300)]
    with exclusive_writer(tmp_path / "l") as database:
        record_sync(database, paths, None)
    with Database.open(tmp_path / "l") as database:
        found = LastSync.read(database)
    assert 0 < len(found.missing) < 100
    assert list(found.missing) == paths[: len(found.missing)]
