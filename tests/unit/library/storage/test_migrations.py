"""snapseek.library.storage.migrations: libraries of format 2 are read as they are, renewed by a writer."""

import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from snapseek.library import Library
from snapseek.library.storage.database import Database
from snapseek.library.storage.schema import FILE_NAME
from snapseek.models import Encoder
from tests.conftest import PICTURES
from tests.support.embedding_files import write_embeddings
from tests.support.tiny_model import write_tiny_model
from tests.support.vector_rows import unit_rows

FORMAT_2 = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE shards (
    stem TEXT PRIMARY KEY, rows INTEGER NOT NULL, source BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE imports (
    source BLOB NOT NULL, within BLOB NOT NULL, size_bytes INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
    rows INTEGER NOT NULL, left_out INTEGER NOT NULL, reason TEXT, PRIMARY KEY (source, within)
) STRICT, WITHOUT ROWID;
CREATE TABLE files (
    folder BLOB NOT NULL, within BLOB NOT NULL, size_bytes INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
    item INTEGER, reason TEXT, PRIMARY KEY (folder, within)
) STRICT, WITHOUT ROWID;
"""


@pytest.fixture
def old(folder, tmp_path, encoder):
    """A library of pictures, a broken one among them, and of vectors, as version 2 wrote it."""
    (folder / "bad.jpg").write_bytes(b"x")
    library_path = tmp_path / "l"
    Library.build(folder, library_path, encoder=encoder)
    laion = write_embeddings(tmp_path / "laion", unit_rows(30, dim=3).astype("f2"))
    Library.import_vectors(laion, library_path, encoder=encoder)
    with Database.open(library_path) as new:
        settings, shards, files, imports = (
            new.settings.all(),
            new.shards.all(),
            list(new.files.all()),
            new.imports.all(),
        )
    (library_path / FILE_NAME).unlink()
    with closing(sqlite3.connect(library_path / FILE_NAME)) as connection:
        connection.executescript(FORMAT_2)
        connection.executemany("INSERT INTO settings VALUES (?, ?)", (settings | {"format": "2"}).items())
        rows = [(s.stem, s.rows, os.fsencode(s.source) if s.source else b"") for s in shards]
        connection.executemany("INSERT INTO shards VALUES (?, ?, ?)", rows)
        for f in files:
            row = (
                os.fsencode(f.folder),
                os.fsencode(f.within),
                f.size_bytes,
                f.modified_ns,
                f.item,
                f.reason,
            )
            connection.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", row)
        for i in imports:
            row = (os.fsencode(i.source), os.fsencode(i.within), i.size_bytes, i.modified_ns, i.rows, 0, None)
            connection.execute("INSERT INTO imports VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.commit()
    return library_path


def test_a_library_of_format_2_is_read_without_a_write(old, folder, tmp_path, encoder):
    before = (old / FILE_NAME).read_bytes()
    library = Library.open(old, encoder=encoder)
    assert len(library) == len(library.search("red", 99)) == len(PICTURES) + 30
    assert [failure.path.name for failure in library.failures()] == ["bad.jpg"]
    assert list(library.info().folders) == [folder, tmp_path / "laion"]
    assert (old / FILE_NAME).read_bytes() == before


def test_a_writer_upgrades_a_library_of_format_2(old, folder, tmp_path, encoder):
    with Database.open(old) as database:
        read = (
            database.shards.all(),
            list(database.files.all()),
            database.imports.all(),
            [source.path for source in database.sources.all()],
        )
    library = Library.open(old, encoder=encoder)
    report = library.sync()
    assert (report.unchanged, report.added) == (len(PICTURES) + 1, 0)
    with Database.open(old) as database:
        assert database.settings.all()["format"] == "3"
        again = (
            database.shards.all(),
            list(database.files.all()),
            database.imports.all(),
            [source.path for source in database.sources.all()],
        )
    assert again == read
    (folder / "bad.jpg").unlink()
    shutil.copy(folder / "red.jpg", folder / "other.jpg")
    report = library.sync()
    assert (report.added, report.removed, len(library)) == (1, 0, len(PICTURES) + 31)


def test_a_library_of_format_2_is_upgraded_to_another_model(old, tmp_path):
    before = {hit.id: hit.uri for hit in Library.open(old).browse(99) if hit.uri.startswith("file:")}
    other = Encoder.load(write_tiny_model(tmp_path / "other model", mean=(0.4,) * 3))
    report = Library.open(old).upgrade(other, threads=1, drop_imports=True)
    assert (report.embedded, report.from_previews, report.dropped) == (len(PICTURES), 0, 30)
    library = Library.open(old)
    assert {hit.id: hit.uri for hit in library.browse(99)} == before
    assert library.search("red", limit=1)[0].uri.endswith("red.jpg")


def test_a_library_of_format_2_is_taught_a_word(old, encoder):
    library = Library.open(old, encoder=encoder)
    assert library.concepts() == []
    red = next(hit.id for hit in library.browse(99) if hit.uri.endswith("red.jpg"))
    library.teach("rex", [red])
    again = Library.open(old, encoder=encoder)
    assert [concept.examples for concept in again.concepts()] == [(red,)]
    assert red in [hit.id for hit in again.browse(99, where="is:rex")]
    with Database.open(old) as database:
        assert database.settings.all()["format"] == "3"
