"""snapseek.library.storage.checked_values and what reads through it: no value of a database is used
unchecked."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from snapseek.errors import FormatError, LibraryBusyError, StorageError
from snapseek.library import Library, verify
from snapseek.library.storage.checked_values import Checker
from snapseek.library.storage.database import Database
from snapseek.library.storage.sqlite_connection import as_library_error
from tests.support import read_mutations

check = Checker(Path("/l/library.db"), "make it again")


@pytest.mark.parametrize(
    ("method", "value"),
    [
        (lambda value: check.whole(value, "rows"), -1),
        (lambda value: check.whole(value, "rows"), "7"),
        (lambda value: check.whole(value, "rows"), True),
        (lambda value: check.whole(value, "rows"), 1.5),
        (lambda value: check.text(value, "a reason"), b"x"),
        (lambda value: check.data_or_none(value, "a hash"), "x"),
        (check.stem, "../../etc/passwd"),
        (check.stem, "0123456789ABCDEF"),
        (check.stem, b"0123456789abcdef"),
        (lambda value: check.name(value, "a file"), b""),
        (lambda value: check.name(value, "a file"), b"a\0b"),
        (lambda value: check.name_within(value, "a file"), b"../secret"),
        (lambda value: check.name_within(value, "a file"), b"a/../../b"),
        (lambda value: check.name_within(value, "a file"), b"/etc/passwd"),
        (check.settings, {"dim": "0"}),
        (check.settings, {"dim": "99999999999999999999"}),
        (check.settings, {"next_id": "-4"}),
        (check.settings, {"name": 7}),
        (check.settings, {"fingerprint": "x"}),
    ],
)
def test_invalid_values_name_the_file_and_the_repair(method, value):
    with pytest.raises(FormatError, match=r"^/l/library\.db is damaged: expected .*; make it again$"):
        method(value)


def test_long_values_are_cut():
    with pytest.raises(FormatError) as caught:
        check.stem("x" * 10_000)
    assert len(str(caught.value)) < 300


def test_valid_values_are_returned():
    assert check.whole(7, "rows") == 7
    assert check.whole_or_none(None, "a checksum") is None
    assert check.stem("0123456789abcdef") == "0123456789abcdef"
    assert check.name_within(b"a/b..c.jpg", "a file") == "a/b..c.jpg"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY, LibraryBusyError),
        (sqlite3.SQLITE_LOCKED, LibraryBusyError),
        (sqlite3.SQLITE_FULL, StorageError),
        (sqlite3.SQLITE_IOERR_WRITE, StorageError),
        (sqlite3.SQLITE_IOERR_SHORT_READ, FormatError),
        (sqlite3.SQLITE_CORRUPT, FormatError),
        (sqlite3.SQLITE_NOTADB, FormatError),
        (None, FormatError),
    ],
)
def test_sqlite_errors_map_to_library_errors(code, kind):
    error = sqlite3.OperationalError("something")
    if code is not None:
        error.sqlite_errorcode = code
    assert type(as_library_error(error, Path("/l/library.db"), "make it again")) is kind


@pytest.fixture
def library_path(folder, tmp_path, encoder):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    return tmp_path / "l"


def changed(library_path, *statements):
    """Statements that the schema would refuse."""
    with closing(sqlite3.connect(library_path / "library.db", isolation_level=None)) as connection:
        read_mutations.loosen(connection)
    with closing(sqlite3.connect(library_path / "library.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE settings SET value = CAST(x'ff41' AS TEXT) WHERE name = 'name'",
        "UPDATE shards SET stem = '../../../etc/passwd'",
        "UPDATE shards SET stem = CAST(x'ff41' AS TEXT)",
        "UPDATE shards SET rows = -5",
        "UPDATE shards SET rows = x'00ff'",
        "UPDATE settings SET value = '70000' WHERE name = 'dim'",
        "UPDATE settings SET value = '2' WHERE name = 'dim'",
        "UPDATE sources SET place = x'00'",
        "DELETE FROM settings WHERE name = 'model'",
        "CREATE TRIGGER t AFTER INSERT ON settings BEGIN DELETE FROM files; END",
        "DROP TABLE tombstones",
    ],
)
def test_invalid_values_are_refused_by_every_reader(library_path, statement):
    changed(library_path, statement)
    with pytest.raises(FormatError, match=r"library\.db|shard"):
        Library.open(library_path)
    with suppress(FormatError):
        assert verify(library_path) != []


@pytest.mark.parametrize("value", ["CAST(x'ff41' AS TEXT)", "x'ff'"])
def test_unreadable_failures_raise_format_error(library_path, value):
    library = Library.open(library_path)
    changed(library_path, f"UPDATE files SET reason = {value}, item = NULL")
    with pytest.raises(FormatError, match=r"library\.db is damaged"):
        library.failures()


def test_a_tombstone_without_a_row_deletes_nothing(library_path):
    count = len(Library.open(library_path))
    changed(library_path, "INSERT INTO tombstones SELECT stem, 999999 FROM shards")
    assert len(Library.open(library_path)) == count


def test_a_path_out_of_its_folder_is_refused(library_path):
    changed(library_path, "UPDATE files SET within = CAST('../x.jpg' AS BLOB) WHERE item = 1")
    with Database.open(library_path) as database, pytest.raises(FormatError, match="a path below a folder"):
        list(database.files.all())


def test_the_path_of_a_source_is_checked_once_for_all_its_files(library_path, monkeypatch):
    checked = []
    monkeypatch.setattr(Checker, "path", lambda _self, value: checked.append(value) or Path("/pictures"))
    with Database.open(library_path) as database:
        files = list(database.files.all())
    assert len(files) > len(checked) == 1
    assert {file.folder for file in files} == {Path("/pictures")}
