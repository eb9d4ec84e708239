"""A database with more rows than a library can have is refused before they are read."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from snapseek.errors import FormatError, OutOfRangeError
from snapseek.library import Library, repair, verify
from snapseek.library.storage import shard_table, source_table
from snapseek.library.storage.database import Database
from snapseek.library.storage.schema import FOLDER
from snapseek.library.storage.shard_table import ShardRow

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) "
TABLES = {
    "settings": "INSERT INTO settings {n} SELECT 'setting ' || i, '' FROM n",
    "sources": "INSERT INTO sources {n} SELECT i + 100, 'folder', CAST('/' || i AS BLOB) FROM n",
    "shards": "INSERT INTO shards {n} SELECT printf('%016x', i), 1, 0, 1, NULL FROM n",
    "tombstones": "INSERT INTO tombstones {n} SELECT (SELECT stem FROM shards), i + 1000 FROM n",
    "stems without a shard": "INSERT INTO own_stems {n} SELECT printf('%016x', i), 'draft' FROM n",
}


@pytest.fixture
def library_path(library: Library, tmp_path: Path) -> Path:
    return Path(shutil.copytree(library.info().path, tmp_path / "l"))


def change(library_path: Path, statement: str) -> None:
    with closing(sqlite3.connect(library_path / "library.db", isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.mark.parametrize("what", TABLES)
def test_more_rows_than_a_library_can_have_are_refused(library_path, encoder, what):
    change(library_path, TABLES[what].format(n=NUMBERS))
    with pytest.raises(FormatError, match=rf"expected at most \d+ {what}") as caught:
        Library.open(library_path, encoder=encoder).remove(1)
    assert "library.db is damaged" in str(caught.value)
    if what != "stems without a shard":
        assert f" {what}, got " in verify(library_path)[0].message


def test_a_long_setting_is_refused(library_path):
    change(library_path, "UPDATE settings SET value = printf('%.*c', 70000, 'x') WHERE name = 'name'")
    with pytest.raises(FormatError, match="expected a setting of at most 65536 characters"):
        Library.open(library_path)


def test_tombstones_of_no_row_are_still_repaired(library_path):
    change(library_path, TABLES["tombstones"].format(n=NUMBERS.replace("99999", "5000")))
    assert any("tombstones of no row" in problem.message for problem in verify(library_path))
    repair(library_path)
    assert verify(library_path) == []


def test_every_row_may_have_a_tombstone():
    """Reading does not depend on what else the database has."""
    with closing(sqlite3.connect(":memory:")) as connection:
        database = Database(connection, Path("library.db"))
        connection.execute("CREATE TABLE shards (stem, rows)")
        connection.execute("CREATE TABLE tombstones (stem, item)")
        connection.execute("INSERT INTO shards VALUES ('0123456789abcdef', 200000)")
        connection.execute(f"INSERT INTO tombstones {NUMBERS} SELECT '0123456789abcdef', i FROM n")
        found = database.shards.tombstones()
    assert np.array_equal(found["0123456789abcdef"], np.arange(100_000))


def test_no_source_is_added_that_could_not_be_read(library_path, monkeypatch):
    monkeypatch.setattr(source_table, "MAX_SOURCES", 2)
    with Database.open_for_writing(library_path) as database, database.transaction():
        database.sources.get_or_create(FOLDER, Path("/second"))
        database.sources.get_or_create(FOLDER, Path("/second"))
        with pytest.raises(OutOfRangeError, match="at most 2 folders"):
            database.sources.get_or_create(FOLDER, Path("/third"))


def test_no_shard_is_added_that_could_not_be_read(library_path, monkeypatch):
    monkeypatch.setattr(shard_table, "MAX_SHARDS", 2)
    with Database.open_for_writing(library_path) as database, database.transaction():
        database.shards.add(ShardRow("0" * 16, 1))
        with pytest.raises(OutOfRangeError, match="at most 2 shards"):
            database.shards.add(ShardRow("1" * 16, 1))
