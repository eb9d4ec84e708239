"""The database of a library. SQLite is the commit: a shard exists when a committed row names it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from snapseek.absolute_path import absolute_path
from snapseek.errors import FormatError, LibraryNotFoundError
from snapseek.library.storage.checked_values import Checker
from snapseek.library.storage.concept_table import ConceptTable
from snapseek.library.storage.file_table import FileTable
from snapseek.library.storage.folder_table import FolderTable
from snapseek.library.storage.import_table import ImportTable
from snapseek.library.storage.library_directory import (
    check_readable,
    check_writable,
    create_library_database,
    make_directory,
    remove_unused,
)
from snapseek.library.storage.lock import writer_lock
from snapseek.library.storage.migrations import OLD_FORMAT, read_as_new, read_as_stored, upgrade_tables
from snapseek.library.storage.new_database import remove_database
from snapseek.library.storage.owned_file_table import OwnedFileTable
from snapseek.library.storage.relocation import INSIDE_FOLDER, Relocation, find_relocation
from snapseek.library.storage.schema import (
    APPLICATION_ID,
    CONCEPT_TABLES,
    FILE_NAME,
    FOLDER_TABLES,
    FORMAT,
    LOCK_NAME,
    OWNED_FILE_TABLES,
    SIDECAR_TABLE,
    TABLES,
    UPGRADE_TABLES,
)
from snapseek.library.storage.settings_table import SettingsTable
from snapseek.library.storage.shard_table import ShardTable
from snapseek.library.storage.source_table import SourceTable
from snapseek.library.storage.sqlite_connection import BUSY_TIMEOUT_S, as_library_error, connect
from snapseek.library.storage.upgrade_table import UpgradeTable

_HAS_SIDECARS = "SELECT 1 FROM main.sqlite_schema WHERE name = 'sidecars'"
_SAMPLES = 8
"""Pictures at each end of a folder whose presence shows that the folder was moved with its library."""

_HINT = "index the folder into another one"
_HAS_FOLDER_TABLES = "SELECT 1 FROM main.sqlite_schema WHERE name = 'former_items_by_content'"
_HAS_CONCEPT_TABLES = "SELECT 1 FROM main.sqlite_schema WHERE name = 'concept_marks'"
_HAS_UPGRADE_TABLES = "SELECT 1 FROM main.sqlite_schema WHERE name = 'upgrade_items'"


class Database:
    """An open `library.db`: its connection and transactions. Each group of tables is an attribute.

    Attributes
    ----------
    settings, sources, folders, shards, files, imports, owned_files, upgrade, concepts
        The tables. Writing to them needs `open_for_writing` and, but for `owned_files`, a `transaction`.
    connection
        The connection, for queries that join a table with temporary ones.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Use `Database.open` or `Database.open_for_writing`."""
        self.connection = connection
        self._path = path
        self._check = Checker(path, _HINT)
        self.settings = SettingsTable(connection, self._check)
        self.sources = SourceTable(connection, self._check)
        self.folders = FolderTable(connection, self._check)
        self.shards = ShardTable(connection, self._check, self.sources)
        self.imports = ImportTable(connection, self._check, self.sources)
        self.files = FileTable(connection, self._check)
        self.owned_files = OwnedFileTable(connection, self._check)
        self.upgrade = UpgradeTable(connection, self._check)
        self.concepts = ConceptTable(connection, self._check)
        self._has_committed = False
        self._reads_old = False

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open the database of the library at `directory` for reading.

        Raises
        ------
        LibraryNotFoundError
            If there is none.
        FormatError
            If it is damaged, not ours, or of a newer format.
        """
        path = directory / FILE_NAME
        if not path.is_file():
            raise LibraryNotFoundError(
                expected=f"a library at {directory}",
                got="none",
                hint=f"create one with: snapseek index FOLDER --library {directory}",
            )
        check_readable(directory)
        # SQLite creates files next to a database in write-ahead mode, unless the URI says that nobody writes.
        is_still = not os.access(directory, os.W_OK) and not path.with_name(f"{FILE_NAME}-shm").exists()
        mode = "mode=ro&immutable=1" if is_still else "mode=ro"
        uri = f"{path.absolute().as_uri()}?{mode}"
        with _library_errors(path):
            database = cls(connect(uri), path)
        try:
            with _library_errors(path):
                database._adapt_to_format()
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    @contextmanager
    def open_for_writing(cls, directory: Path) -> Iterator[Self]:
        """Open the database as the only writer, for any number of `transaction` blocks.

        Creates the library if it is missing, and removes it again if nothing was committed to it.

        Raises
        ------
        LibraryBusyError
            If another process is writing.
        StorageError
            If the disk refuses.
        FormatError, InputError
            If the directory holds something else.
        """
        path = directory / FILE_NAME
        check_writable(directory)
        is_new_directory = make_directory(directory)
        with writer_lock(directory / LOCK_NAME, BUSY_TIMEOUT_S) as is_new_lock:
            check_writable(directory)
            database = None
            created = None
            try:
                with _library_errors(path):
                    if not os.path.lexists(path):
                        created = create_library_database(path)
                    with closing(connect(path.absolute().as_uri())) as connection:
                        database = cls(connection, path)
                        database._prepare_for_writing()
                        database._find_relocation()
                        yield database
                        with suppress(
                            sqlite3.OperationalError
                        ):  # everything is committed, and safe without it
                            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                if created is not None and not (database and database._has_committed):
                    remove_database(path, created)
                    if is_new_lock:
                        remove_unused(directory, is_new_directory=is_new_directory)

    def _prepare_for_writing(self) -> None:
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("PRAGMA secure_delete = FAST")  # an abandoned draft leaves no bytes
        is_old = self._checked_format() == OLD_FORMAT
        (application_id,) = self.connection.execute("PRAGMA application_id").fetchone()
        if is_old or application_id != APPLICATION_ID:
            with self.transaction():
                if is_old:
                    upgrade_tables(self.connection, TABLES)
                    self.settings.update({"format": str(FORMAT)})
                self.connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                for statement in OWNED_FILE_TABLES.split(";\n"):
                    self.connection.execute(statement)
        if not self.connection.execute(_HAS_SIDECARS).fetchone():
            with self.transaction():
                self.connection.execute(SIDECAR_TABLE)

        if not self.connection.execute(_HAS_FOLDER_TABLES).fetchone():
            with self.transaction():
                for statement in FOLDER_TABLES.split(";\n"):
                    self.connection.execute(statement)

        if not self.connection.execute(_HAS_UPGRADE_TABLES).fetchone():
            with self.transaction():
                for statement in UPGRADE_TABLES.split(";\n"):
                    self.connection.execute(statement)

        if not self.connection.execute(_HAS_CONCEPT_TABLES).fetchone():
            with self.transaction():
                for statement in CONCEPT_TABLES.split(";\n"):
                    self.connection.execute(statement)

    @property
    def relocation(self) -> Relocation:
        """Where the folder that contains the library was, as in all recorded paths, and where it is."""
        return self._check.relocation

    def _find_relocation(self) -> None:
        directory = absolute_path(self._path.parent)
        recorded = self.settings.all().get("directory")
        if recorded == str(directory) or (recorded is None and directory.name != INSIDE_FOLDER):
            return
        numbers = {path: number for number, path in self.sources.recorded_folders()}
        self._check.relocation = find_relocation(
            directory, recorded, numbers, lambda folder, now: self._has_pictures(numbers[folder], now)
        )

    def _has_pictures(self, source: int, folder: Path) -> bool:
        for within, size_bytes in self.files.samples(source, _SAMPLES):
            with suppress(OSError):
                if (folder / within).stat().st_size == size_bytes:
                    return True
        return False

    def record_directory(self) -> None:
        """Record where the library is, once, within the open transaction: later moves are found by it."""
        if "directory" not in self.settings.all():
            moved = self.relocation.recorded
            directory = absolute_path(self._path.parent) if moved is None else moved / INSIDE_FOLDER
            self.settings.update({"directory": str(directory)})

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything that is written in the block, or nothing if it raises."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise
        self._has_committed = True

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read one commit in the block. Raises FormatError if the database is damaged."""
        with _library_errors(self._path):
            self._adapt_to_format()
            self.connection.execute("BEGIN")
            try:
                self._find_relocation()
                yield
            finally:
                self.connection.rollback()

    def _checked_format(self) -> str:
        with _library_errors(self._path):
            found = self.settings.format()
            query = "SELECT count(*) FROM main.sqlite_master WHERE type IN ('trigger', 'view')"
            (extra,) = self.connection.execute(query).fetchone()
        if found not in (str(FORMAT), OLD_FORMAT):
            raise FormatError(
                expected=f"a library of format {FORMAT} or older",
                got=f"format {found[:20]} in {self._path}",
                hint="update snapseek, or index the folder into another library",
            )
        if extra:
            self._check.fail("no triggers and views", extra)
        return found

    def _adapt_to_format(self) -> None:
        """Make the reads fit the stored format, which a writer may upgrade at any time."""
        is_old = self._checked_format() == OLD_FORMAT
        if is_old and not self._reads_old:
            read_as_new(self.connection)
        elif self._reads_old and not is_old:
            read_as_stored(self.connection)
        self._reads_old = is_old

    def changes(self) -> int:
        """Return a number that changes with every commit of another connection."""
        with _library_errors(self._path):
            return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def count_failed(self) -> int:
        """Return the number of pictures that could not be indexed or imported."""
        query = (
            "SELECT (SELECT count(*) FROM files WHERE reason IS NOT NULL AND is_removed = 0) + "
            "(SELECT coalesce(sum(left_out), 0) FROM imports)"
        )
        (count,) = self.connection.execute(query).fetchone()
        return int(count)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


@contextmanager
def _library_errors(path: Path) -> Iterator[None]:
    """Replace the errors of SQLite by those of snapseek."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise as_library_error(error, path, _HINT) from error
