"""The database of a library. What is committed here exists; a file that is not named here does not."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from snapseek.errors import FormatError, LibraryBusyError, LibraryNotFoundError, StorageError

FILE_NAME = "library.db"
FORMAT = 2
_BUSY_TIMEOUT_S = 5.0
_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE shards (
    stem TEXT PRIMARY KEY,
    rows INTEGER NOT NULL,
    source BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE imports (
    source BLOB NOT NULL,
    within BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    left_out INTEGER NOT NULL,
    reason TEXT,
    PRIMARY KEY (source, within),
    CHECK ((left_out = 0) = (reason IS NULL))
) STRICT, WITHOUT ROWID;
CREATE TABLE files (
    folder BLOB NOT NULL,
    within BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    item INTEGER,
    reason TEXT,
    PRIMARY KEY (folder, within),
    CHECK ((item IS NULL) <> (reason IS NULL))
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True)
class FileRow:
    """What is known of one file of a source: the item it became, or the reason why it did not."""

    folder: Path
    within: str
    size_bytes: int
    modified_ns: int
    item: int | None
    reason: str | None


@dataclass(frozen=True)
class ImportRow:
    """A file of vectors that was taken in: how many of its rows, and why `left_out` of them were not."""

    source: Path
    within: str
    size_bytes: int
    modified_ns: int
    rows: int
    left_out: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class ShardRow:
    """A shard that exists. `source` is the folder that it was imported from, None for indexed pictures."""

    stem: str
    rows: int
    source: Path | None = None


class Catalogue:
    """An open `library.db`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Use `Catalogue.open` or `Catalogue.writing`."""
        self._connection = connection
        self._path = path

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open for reading. Raises LibraryNotFoundError, or FormatError when it is damaged or too new."""
        path = directory / FILE_NAME
        if not path.is_file():
            raise LibraryNotFoundError(
                f"expected a library at {directory}, found none; "
                f"make one with: snapseek index FOLDER --library {directory}"
            )
        # Beside a database in write-ahead mode SQLite makes files of its own; where it may not, it need not.
        immutable = "" if os.access(directory, os.W_OK) else "&immutable=1"
        catalogue = cls(_connect(f"{path.absolute().as_uri()}?mode=ro{immutable}"), path)
        try:
            catalogue._check_format()
        except BaseException:
            catalogue.close()
            raise
        return catalogue

    @classmethod
    @contextmanager
    def writing(cls, directory: Path) -> Iterator[Self]:
        """The only writer: everything is committed at the end, or nothing when the block raises.

        Creates the library where there is none. Raises LibraryBusyError while another process writes.
        """
        path = directory / FILE_NAME
        is_new = not path.exists()
        try:
            _make_directory(directory)
            with closing(_connect(path.absolute().as_uri())) as connection:
                catalogue = cls(connection, path)
                with catalogue._transaction():
                    yield catalogue
        except BaseException as error:
            if is_new:
                _remove_if_empty(directory)
            if isinstance(error, sqlite3.DatabaseError):
                raise _translated(error, path) from error
            raise

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def _begin(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("BEGIN IMMEDIATE")
        if not self._connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _SCHEMA.split(";\n"):
                self._connection.execute(statement)
            self.set_settings({"format": str(FORMAT)})
        self._check_format()

    def _check_format(self) -> None:
        try:
            found = self.settings().get("format", "0")
        except sqlite3.DatabaseError as error:
            raise FormatError(
                f"{self._path} is damaged or not a library ({error}); index the folder anew"
            ) from error
        if found != str(FORMAT):
            raise FormatError(
                f"expected a library of format {FORMAT}, found {found} in {self._path}; "
                "update snapseek, or index the folder anew into another library"
            )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read in this block is of one commit. Raises FormatError when the database is damaged."""
        try:
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.rollback()
        except sqlite3.DatabaseError as error:
            raise _translated(error, self._path) from error

    def changes(self) -> int:
        """A number that is another one after each commit by anybody else."""
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.DatabaseError as error:
            raise _translated(error, self._path) from error

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def settings(self) -> dict[str, str]:
        """Everything that is set: format, name, model, fingerprint, dim, created, version, next_id."""
        return dict(self._connection.execute("SELECT name, value FROM settings"))

    def set_settings(self, values: dict[str, str]) -> None:
        """Set some of them."""
        self._connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", values.items())

    def shards(self) -> list[ShardRow]:
        """Each shard, that of indexed pictures first."""
        rows = self._connection.execute("SELECT stem, rows, source FROM shards ORDER BY source, stem")
        return [
            ShardRow(stem, count, Path(os.fsdecode(source)) if source else None)
            for stem, count, source in rows
        ]

    def replace_shards(self, source: Path | None, shards: Iterable[tuple[str, int]]) -> None:
        """Let these (stem, rows) be all the shards of that source; None stands for indexed pictures."""
        key = _key(source)
        self._connection.execute("DELETE FROM shards WHERE source = ?", (key,))
        rows = [(stem, rows, key) for stem, rows in shards]
        self._connection.executemany("INSERT INTO shards VALUES (?, ?, ?)", rows)

    def imports(self) -> list[ImportRow]:
        """Every file of vectors that was taken in, in order of path."""
        rows = self._connection.execute("SELECT * FROM imports ORDER BY source, within")
        return [
            ImportRow(Path(os.fsdecode(source)), os.fsdecode(within), *rest) for source, within, *rest in rows
        ]

    def replace_imports(self, source: Path, files: Iterable[ImportRow]) -> None:
        """Let these be all the files of that source."""
        self._connection.execute("DELETE FROM imports WHERE source = ?", (_key(source),))
        rows = [
            (
                _key(file.source),
                os.fsencode(file.within),
                file.size_bytes,
                file.modified_ns,
                file.rows,
                file.left_out,
                file.reason,
            )
            for file in files
        ]
        self._connection.executemany("INSERT INTO imports VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def files(self) -> Iterator[FileRow]:
        """Every file of every folder, with what became of it, in order of path."""
        query = (
            "SELECT folder, within, size_bytes, modified_ns, item, reason FROM files ORDER BY folder, within"
        )
        for folder, within, *rest in self._connection.execute(query):
            yield FileRow(Path(os.fsdecode(folder)), os.fsdecode(within), *rest)

    def folders(self) -> list[Path]:
        """The folders that were indexed, then those that were imported."""
        indexed = self._connection.execute("SELECT DISTINCT folder FROM files ORDER BY folder")
        imported = self._connection.execute("SELECT DISTINCT source FROM imports ORDER BY source")
        return [Path(os.fsdecode(folder)) for (folder,) in [*indexed, *imported]]

    def count_failed(self) -> int:
        """How many pictures could not be indexed or imported."""
        query = (
            "SELECT (SELECT count(*) FROM files WHERE reason IS NOT NULL) + "
            "(SELECT coalesce(sum(left_out), 0) FROM imports)"
        )
        (count,) = self._connection.execute(query).fetchone()
        return int(count)

    def clear_files(self) -> None:
        """Forget every file."""
        self._connection.execute("DELETE FROM files")

    def add_file(self, row: FileRow) -> None:
        """Remember a file and what became of it."""
        self._connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
            (
                os.fsencode(row.folder),
                os.fsencode(row.within),
                row.size_bytes,
                row.modified_ns,
                row.item,
                row.reason,
            ),
        )


def _key(source: Path | None) -> bytes:
    return b"" if source is None else os.fsencode(source)


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the library {directory}: {error.strerror}") from error


def _remove_if_empty(directory: Path) -> None:
    """After a first index that failed: nothing was committed, so leave nothing behind."""
    with suppress(OSError):
        (directory / FILE_NAME).unlink(missing_ok=True)
        directory.rmdir()


def _connect(uri: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.OperationalError as error:
        raise StorageError(f"cannot open the database {uri.partition('?')[0]}: {error}") from error


def _translated(error: sqlite3.DatabaseError, path: Path) -> Exception:
    if "locked" in str(error):
        return LibraryBusyError(f"another process is writing {path.parent}; wait until it has finished")
    if isinstance(error, sqlite3.OperationalError):
        return StorageError(f"cannot write {path}: {error}")
    return FormatError(f"{path} is damaged or not a library ({error}); index the folder into another one")
