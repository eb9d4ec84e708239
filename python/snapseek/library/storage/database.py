"""The database of a library. What is committed here exists; a file that is not named here does not."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import FormatError, InputError, LibraryBusyError, LibraryNotFoundError, StorageError
from snapseek.library.storage.checked_values import Checker
from snapseek.library.storage.database_rows import FileRow, ImportRow, ShardRow, Source
from snapseek.library.storage.lock import writer_lock
from snapseek.library.storage.migrations import OLD_FORMAT, read_as_it_is, read_as_new, renew
from snapseek.library.storage.new_database import create_database, is_draft_of, prove_ours, remove_database
from snapseek.library.storage.owned_files import OwnedDirectory, check_directory

FILE_NAME = "library.db"
LOCK_NAME = "writer.lock"
SHARDS = "shards"
FORMAT = 3
APPLICATION_ID = 0x534E4150
""""SNAP": what the header of a `library.db` says that it is."""
__all__ = ["Database", "FileRow", "ImportRow", "ShardRow", "Source"]
PICTURES = 0
"""The `source` of shards that hold pictures of every folder together."""

FOLDER, FILES, IMPORT, URLS = "folder", "files", "import", "urls"
"""Kinds of sources: all pictures below a folder; some files in one; a folder of ready vectors; a list of
urls. Others are named in `snapseek.sources`."""

_BUSY_TIMEOUT_S = 5.0
_MAX_VALUE_BYTES = 1 << 24
_MIN_SIZE = -1
"""The size of a file whose picture is to be embedded again."""

MIN_ID = _MIN_TIME = -(2**63)
_MEND = "index the folder into another one"
_OWN_STEMS = """
CREATE TABLE IF NOT EXISTS own_stems (
    stem TEXT PRIMARY KEY,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_files (
    stem TEXT,
    name TEXT,
    inode INTEGER NOT NULL,
    size_bytes INTEGER,
    modified_ns INTEGER,
    PRIMARY KEY (stem, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shard_files (
    stem TEXT,
    name TEXT,
    inode INTEGER NOT NULL,
    size_bytes INTEGER,
    modified_ns INTEGER,
    PRIMARY KEY (stem, name)
) STRICT, WITHOUT ROWID;
"""
"""The stems of files that this library wrote and that no shard has, and which files it created;
those of shards in a table of their own, so that a draft that is given up leaves no trace. See the module
`shard_files`."""
FileIdentity = tuple[int, int | None, int | None]
"""The inode of a file; of a finished one its size and time of change as well."""
DRAFT, DROPPED, BROKEN = "draft", "dropped", "broken"
"""What became of a shard that is none: it was not finished, not needed any more, or not readable any more."""

_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE sources (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    place BLOB NOT NULL,
    UNIQUE (kind, place)
) STRICT;
CREATE TABLE shards (
    stem TEXT PRIMARY KEY,
    rows INTEGER NOT NULL,
    source INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    records_crc INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE tombstones (stem TEXT, item INTEGER, PRIMARY KEY (stem, item)) STRICT, WITHOUT ROWID;
CREATE TABLE imports (
    source INTEGER NOT NULL,
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
    source INTEGER NOT NULL,
    within BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    content BLOB,
    item INTEGER,
    reason TEXT,
    is_removed INTEGER NOT NULL,
    PRIMARY KEY (source, within),
    CHECK ((item IS NULL) <> (reason IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX files_by_item ON files (item) WHERE item IS NOT NULL;
CREATE INDEX files_left_out ON files (is_removed) WHERE reason IS NOT NULL;
"""
_FIRST_ROW = "INSERT INTO settings VALUES ('format', '3')"


class Database:
    """An open `library.db`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Use `Catalogue.open`, `Catalogue.writing` or `Catalogue.holding`."""
        self.connection = connection
        self._path = path
        self._check = Checker(path, _MEND)
        self._has_committed = False
        self._reads_old = False
        self.drafts: set[str] = set()
        """The stems of shards that are being written just now."""

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open for reading. Raises LibraryNotFoundError, or FormatError when it is damaged or too new."""
        path = directory / FILE_NAME
        if not path.is_file():
            raise LibraryNotFoundError(
                f"expected a library at {directory}, found none; "
                f"make one with: snapseek index FOLDER --library {directory}"
            )
        _check_text(directory)
        prove_ours(path, APPLICATION_ID, _has_our_tables, writing=False)
        # Beside a database in write-ahead mode SQLite makes files of its own; where it may not, it need not.
        is_still = not os.access(directory, os.W_OK) and not path.with_name(f"{FILE_NAME}-shm").exists()
        immutable = "&immutable=1" if is_still else ""
        catalogue = cls(_connect(f"{path.absolute().as_uri()}?mode=ro{immutable}"), path)
        try:
            with catalogue._translating():
                catalogue._adapt()
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
        with cls.holding(directory) as catalogue, catalogue.transaction():
            yield catalogue

    @classmethod
    @contextmanager
    def holding(cls, directory: Path) -> Iterator[Self]:
        """The only writer, for as many `transaction` blocks as it likes.

        Creates the library where there is none; takes it away again when nothing was committed to it.
        Raises LibraryBusyError while another process writes, StorageError when the disk refuses.
        """
        path = directory / FILE_NAME
        _check_place(directory)
        is_new_directory = _make_directory(directory)
        with writer_lock(directory / LOCK_NAME, _BUSY_TIMEOUT_S) as is_new_lock:
            _check_place(directory)
            catalogue = None
            created = None
            try:
                if not os.path.lexists(path):
                    created = _create(path)
                with closing(_connect(path.absolute().as_uri())) as connection:
                    catalogue = cls(connection, path)
                    catalogue._prepare()
                    yield catalogue
                    with suppress(sqlite3.OperationalError):  # all is committed, and safe without it
                        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except (sqlite3.Error, UnicodeDecodeError) as error:
                raise translated(error, path, _MEND) from error
            finally:
                if created is not None and not (catalogue and catalogue._has_committed):
                    remove_database(path, created)
                    if is_new_lock:
                        _remove_lock(directory, is_new_directory=is_new_directory)

    def _prepare(self) -> None:
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("PRAGMA secure_delete = FAST")  # a draft that is given up leaves no bytes
        is_old = self._checked_format() == OLD_FORMAT
        (application_id,) = self.connection.execute("PRAGMA application_id").fetchone()
        if is_old or application_id != APPLICATION_ID:
            with self.transaction():
                if is_old:
                    renew(self.connection, _SCHEMA)
                    self.set_settings({"format": str(FORMAT)})
                self.connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                for statement in _OWN_STEMS.split(";\n"):
                    self.connection.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A commit: all that is written in this block, or nothing when it raises."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise
        self._has_committed = True

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise translated(error, self._path, _MEND) from error

    def _checked_format(self) -> str:
        with self._translating():
            found = self._settings().get("format", "0")
            query = "SELECT count(*) FROM main.sqlite_master WHERE type IN ('trigger', 'view')"
            (strange,) = self.connection.execute(query).fetchone()
        if type(found) is not str or not found.isdecimal():
            self._check.fail("the number of a format", found)
        if found not in (str(FORMAT), OLD_FORMAT):
            raise FormatError(
                f"expected a library of format {FORMAT}, found {found[:20]} in {self._path}; "
                "update snapseek, or index the folder anew into another library"
            )
        if strange:
            self._check.fail("no triggers and views", strange)
        return found

    def _adapt(self) -> None:
        """Read the format that is there: the next writer renews an old one, also under a reader."""
        is_old = self._checked_format() == OLD_FORMAT
        if is_old and not self._reads_old:
            read_as_new(self.connection)
        elif self._reads_old and not is_old:
            read_as_it_is(self.connection)
        self._reads_old = is_old

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read in this block is of one commit. Raises FormatError when the database is damaged."""
        with self._translating():
            self._adapt()
            self.connection.execute("BEGIN")
            try:
                yield
            finally:
                self.connection.rollback()

    def changes(self) -> int:
        """A number that is another one after each commit by anybody else."""
        with self._translating():
            return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def settings(self) -> dict[str, str]:
        """Everything that is set: format, name, model, fingerprint, dim, created, version, next_id."""
        return self._check.settings(self._settings())

    def _settings(self) -> dict[object, object]:
        return dict(self.connection.execute("SELECT name, value FROM settings"))

    def set_settings(self, values: dict[str, str]) -> None:
        """Set some of them."""
        self.connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", values.items())

    def sources(self) -> list[Source]:
        """Every source, in the order in which they came."""
        rows = self.connection.execute("SELECT number, kind, place FROM sources ORDER BY number")
        check = self._check
        return [
            Source(check.whole(number, "a source"), check.text(kind, "its kind"), self._place(place))
            for number, kind, place in rows
        ]

    def _place(self, place: object) -> Path:
        return Path(self._check.name(place, "the place of a source"))

    def source(self, kind: str, place: Path) -> Source:
        """The source of that kind and place, which is made if need be."""
        key = (kind, os.fsencode(place))
        self.connection.execute("INSERT OR IGNORE INTO sources (kind, place) VALUES (?, ?)", key)
        query = "SELECT number FROM sources WHERE kind = ? AND place = ?"
        return Source(self.connection.execute(query, key).fetchone()[0], kind, place)

    def forget_source(self, source: Source) -> None:
        """Forget a source with all its files; its shards and tombstones are not touched."""
        key = (source.number,)
        self.connection.execute("DELETE FROM files WHERE source = ?", key)
        self.connection.execute("DELETE FROM imports WHERE source = ?", key)
        self.connection.execute("DELETE FROM sources WHERE number = ?", key)

    def folders(self) -> list[Path]:
        """The folders that were indexed, then those that were imported."""
        rows = self.connection.execute("SELECT DISTINCT place FROM sources ORDER BY kind = 'import', place")
        return [self._place(place) for (place,) in rows]

    def shards(self) -> list[ShardRow]:
        """Each shard, those of indexed pictures first, otherwise in the order in which they were made."""
        rows = self.connection.execute(
            "SELECT stem, rows, place, generation, records_crc FROM shards "
            "LEFT JOIN sources ON number = source ORDER BY source, generation, stem"
        )
        check = self._check
        return [
            ShardRow(
                check.stem(stem),
                check.whole(count, "the rows of a shard"),
                None if place is None else self._place(place),
                check.whole(generation, "the generation of a shard"),
                check.whole_or_none(crc, "the checksum of records", high=2**32 - 1),
            )
            for stem, count, place, generation, crc in rows
        ]

    def add_shard(self, shard: ShardRow) -> None:
        """Let a shard exist. Its generation is that of this commit."""
        source = PICTURES if shard.source is None else self.source(IMPORT, shard.source).number
        query = "SELECT coalesce(max(generation), 0) + 1 FROM shards"
        (generation,) = self.connection.execute(query).fetchone()
        row = (shard.stem, shard.rows, source, generation, shard.records_crc)
        self.connection.execute("INSERT INTO shards VALUES (?, ?, ?, ?, ?)", row)
        key = (shard.stem,)
        self.connection.execute("DELETE FROM own_stems WHERE stem = ?", key)
        self.connection.execute(
            "INSERT OR REPLACE INTO shard_files "
            "SELECT * FROM own_files WHERE stem = ? AND size_bytes IS NOT NULL",
            key,
        )
        self.connection.execute("DELETE FROM own_files WHERE stem = ?", key)

    def drop_shards(self, stems: Iterable[str], state: str = DROPPED) -> None:
        """Let these shards exist no more, and forget which of their rows were removed."""
        keys = [(stem,) for stem in stems]
        self.connection.executemany("DELETE FROM shards WHERE stem = ?", keys)
        rows = [(stem, state) for (stem,) in keys]
        self.connection.executemany("INSERT OR REPLACE INTO own_stems VALUES (?, ?)", rows)
        self.connection.executemany("DELETE FROM tombstones WHERE stem = ?", keys)

    def record_stem(self, stem: str) -> None:
        """Record, in a commit of its own, that files of this stem are ours."""
        self.connection.execute("INSERT INTO own_stems VALUES (?, ?)", (stem, DRAFT))

    def record_files(self, stem: str, files: Mapping[str, FileIdentity]) -> None:
        """Record files that were created: each name, and which file it is on the disk. One commit."""
        values = [value for name, identity in files.items() for value in (stem, name, *identity)]
        places = ", ".join(["(?, ?, ?, ?, ?)"] * len(files))
        self.connection.execute(f"INSERT OR REPLACE INTO own_files VALUES {places}", values)  # noqa: S608

    def recorded_files(self, stem: str) -> dict[str, FileIdentity]:
        """The files of a stem that were recorded."""
        query = (
            "SELECT name, inode, size_bytes, modified_ns FROM own_files WHERE stem = ?1 "
            "UNION ALL SELECT name, inode, size_bytes, modified_ns FROM shard_files WHERE stem = ?1"
        )
        return {name: tuple(identity) for name, *identity in self.connection.execute(query, (stem,))}

    def recorded_stems(self) -> dict[str, str]:
        """Stems of files that are ours and of no shard, and what became of the shard."""
        try:
            return dict(self.connection.execute("SELECT stem, state FROM own_stems").fetchall())
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return {}  # written by an earlier version, which recorded nothing

    def forget_stems(self, stems: Iterable[str]) -> None:
        """Forget stems of which there is no file any more, in one commit."""
        keys = [(stem,) for stem in stems]
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            self.connection.executemany("DELETE FROM own_stems WHERE stem = ?", keys)
            self.connection.executemany("DELETE FROM own_files WHERE stem = ?", keys)
            self.connection.executemany("DELETE FROM shard_files WHERE stem = ?", keys)
            self.connection.execute("COMMIT")
        except BaseException:
            self.connection.rollback()
            raise

    def replace_shards(self, source: Path | None, shards: Iterable[ShardRow]) -> None:
        """Let these be all the shards of that source; None stands for indexed pictures."""
        self.drop_shards([shard.stem for shard in self.shards() if shard.source == source])
        for shard in shards:
            self.add_shard(replace(shard, source=source))

    def tombstones(self) -> dict[str, NDArray[np.int64]]:
        """The ids of removed pictures by the stem of the shard that still has their row, rising."""
        found: dict[str, list[int]] = {}
        for stem, item in self.connection.execute("SELECT stem, item FROM tombstones ORDER BY stem, item"):
            found.setdefault(self._check.stem(stem), []).append(self._check.whole(item, "an id", MIN_ID))
        return {stem: np.array(items, np.int64) for stem, items in found.items()}

    def add_tombstones(self, stem: str, items: Iterable[int]) -> None:
        """Set tombstones on rows of a shard."""
        rows = ((stem, item) for item in items)
        self.connection.executemany("INSERT OR IGNORE INTO tombstones VALUES (?, ?)", rows)

    def imports(self) -> list[ImportRow]:
        """Every file of vectors that was taken in, in order of path."""
        rows = self.connection.execute(
            "SELECT place, within, size_bytes, modified_ns, rows, left_out, reason FROM imports "
            "JOIN sources ON number = source ORDER BY place, within"
        )
        check = self._check
        return [
            ImportRow(
                self._place(source),
                check.name(within, "the name of a file"),
                check.whole(size, "the size of a file"),
                check.whole(time, "the time of a file", _MIN_TIME),
                check.whole(count, "the rows of a file"),
                check.whole(left_out, "the rows left out"),
                check.text_or_none(reason, "a reason"),
            )
            for source, within, size, time, count, left_out, reason in rows
        ]

    def replace_imports(self, source: Path, files: Iterable[ImportRow]) -> None:
        """Let these be all the files of that source."""
        number = self.source(IMPORT, source).number
        self.connection.execute("DELETE FROM imports WHERE source = ?", (number,))
        rows = [
            (
                number,
                os.fsencode(file.within),
                file.size_bytes,
                file.modified_ns,
                file.rows,
                file.left_out,
                file.reason,
            )
            for file in files
        ]
        self.connection.executemany("INSERT INTO imports VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def files(self) -> Iterator[FileRow]:
        """Every file of every folder, with what became of it, in order of path."""
        query = (
            "SELECT place, within, size_bytes, modified_ns, item, reason, content, is_removed, kind "
            "FROM files JOIN sources ON number = source ORDER BY place, within"
        )
        check = self._check
        for folder, within, size, time, item, reason, content, is_removed, kind in self.connection.execute(
            query
        ):
            is_below = kind in (FOLDER, FILES)
            yield FileRow(
                self._place(folder),
                (check.name_within if is_below else check.key)(within, "the name of a file"),
                check.whole(size, "the size of a file", _MIN_SIZE),
                check.whole(time, "the time of a file", _MIN_TIME),
                check.whole_or_none(item, "an id", MIN_ID),
                check.text_or_none(reason, "a reason"),
                check.data_or_none(content, "the hash of a file"),
                bool(check.whole(is_removed, "a flag", high=1)),
            )

    def count_failed(self) -> int:
        """How many pictures could not be indexed or imported."""
        query = (
            "SELECT (SELECT count(*) FROM files WHERE reason IS NOT NULL AND is_removed = 0) + "
            "(SELECT coalesce(sum(left_out), 0) FROM imports)"
        )
        (count,) = self.connection.execute(query).fetchone()
        return int(count)

    def clear_files(self) -> None:
        """Forget every file."""
        self.connection.execute("DELETE FROM files")

    def add_file(self, row: FileRow) -> None:
        """Remember a file and what became of it."""
        self.connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.source(FOLDER, row.folder).number,
                os.fsencode(row.within),
                row.size_bytes,
                row.modified_ns,
                row.content,
                row.item,
                row.reason,
                row.is_removed,
            ),
        )


def _check_place(directory: Path) -> None:
    """Raise unless `directory` holds a library that may be written, or a new one may go there."""
    _check_text(directory)
    path = directory / FILE_NAME
    if os.path.lexists(path):
        prove_ours(path, APPLICATION_ID, _has_our_tables, writing=True)
        if os.path.lexists(directory / SHARDS):
            check_directory(directory / SHARDS)
    elif directory.is_dir():
        _check_empty(directory)


def _check_text(directory: Path) -> None:
    """Raise InputError for a path that has no text: database, records and answers have to name it."""
    try:
        os.fspath(directory.absolute()).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(directory).decode("utf-8", "backslashreplace")
        raise InputError(
            f"expected the path of a library in UTF-8, found {shown}; rename the folder, or choose another "
            "place with --library"
        ) from error


def _check_empty(directory: Path) -> None:
    """Raise InputError where a new library would come among the files of somebody else."""
    try:
        with os.scandir(directory) as entries:
            found = sorted(entry.name for entry in entries if not _is_left_by_us(entry))
    except OSError as error:
        raise StorageError(f"cannot look into {directory}: {error.strerror}") from error
    if found:
        shown = ", ".join(found[:3]) + (" …" if len(found) > 3 else "")
        raise InputError(
            f"expected an empty or missing folder for a new library, found {shown} in {directory}; "
            f"choose another place, such as: --library {directory / 'library.snapseek'}"
        )


def _is_left_by_us(entry: "os.DirEntry[str]") -> bool:
    """Whether a first index that was stopped leaves such a thing."""
    if entry.name == SHARDS:
        return entry.is_dir(follow_symlinks=False) and not os.listdir(entry.path)  # noqa: PTH208
    named = entry.name == LOCK_NAME or is_draft_of(entry.name, Path(FILE_NAME))
    return named and entry.is_file(follow_symlinks=False)


def _has_our_tables(connection: sqlite3.Connection) -> bool:
    """Whether this is a library of a version that gave its database no application id."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not {"settings", "shards", "files", "imports"} <= tables:
        return False
    found = connection.execute("SELECT value FROM settings WHERE name = 'format'").fetchone()
    return found is not None


def _make_directory(directory: Path) -> bool:
    """Make the directory; whether it was not there before."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir()
    except FileExistsError as error:
        if not directory.is_dir():
            raise _cannot_make(directory, error) from error
        return False
    except OSError as error:
        raise _cannot_make(directory, error) from error
    return True


def _cannot_make(directory: Path, error: OSError) -> StorageError:
    return StorageError(
        f"cannot make the library {directory}: {error.strerror}; choose another place with --library"
    )


def _create(path: Path) -> os.stat_result:
    """Let a database with its tables appear at `path`; what it is on the disk."""
    statements = (_SCHEMA, _OWN_STEMS, _FIRST_ROW)
    try:
        create_database(path, statements, APPLICATION_ID)
        return path.lstat()
    except OSError as error:
        raise StorageError(f"cannot make {path}: {error.strerror}") from error


def _remove_lock(directory: Path, *, is_new_directory: bool) -> None:
    """After a first index that failed: nothing was committed, so leave nothing behind."""
    with suppress(StorageError), OwnedDirectory(directory.resolve()) as opened:
        opened.remove(LOCK_NAME)
    with suppress(OSError):
        (directory / SHARDS).rmdir()
    if is_new_directory:
        with suppress(OSError):
            directory.rmdir()


def _connect(uri: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.OperationalError as error:
        raise StorageError(f"cannot open the database {uri.partition('?')[0]}: {error}") from error
    harden(connection)
    return connection


def harden(connection: sqlite3.Connection) -> None:
    """Let a database that something else has changed do no harm: see https://sqlite.org/security.html."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")


_DISK_CODES = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)


def translated(error: Exception, path: Path, mend: str) -> Exception:
    """Return what an error of SQLite means to the user: busy, refused by the disk, or damaged.

    A text that is not UTF-8 has no error code: it is damage.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LibraryBusyError(f"another process is writing {path.parent}; wait until it has finished")
    if code & 0xFF in _DISK_CODES and code != sqlite3.SQLITE_IOERR_SHORT_READ:
        return StorageError(f"cannot read or write {path}: {error}")
    found = ascii(str(error))[1:-1][:300]
    return FormatError(f"{path} is damaged or not a database of snapseek ({found}); {mend}")
