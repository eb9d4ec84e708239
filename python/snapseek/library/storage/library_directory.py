"""The directory of a library: which one may be used, creating it, and leaving nothing behind on failure."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from snapseek.errors import InputError, StorageError
from snapseek.library.storage.new_database import create_database, is_draft_of, prove_ours
from snapseek.library.storage.owned_files import OwnedDirectory, check_directory, check_no_link_out
from snapseek.library.storage.schema import (
    APPLICATION_ID,
    CONCEPT_TABLES,
    FILE_NAME,
    FIRST_ROW,
    FOLDER_TABLES,
    LOCK_NAME,
    MEMORY_TABLES,
    OWNED_FILE_TABLES,
    SHARDS,
    SIDECAR_TABLE,
    TABLES,
    UPGRADE_TABLES,
)

_MAX_SHOWN_NAMES = 3


def check_readable(directory: Path) -> None:
    """Raise unless `directory` holds a database of ours."""
    _check_encodable(directory)
    check_no_link_out(directory / FILE_NAME, directory)
    prove_ours(directory / FILE_NAME, APPLICATION_ID, _has_our_tables, writing=False)


def check_writable(directory: Path) -> None:
    """Raise unless `directory` holds a library that may be written, or may become one."""
    _check_encodable(directory)
    path = directory / FILE_NAME
    if os.path.lexists(path):
        prove_ours(path, APPLICATION_ID, _has_our_tables, writing=True)
        if os.path.lexists(directory / SHARDS):
            check_directory(directory / SHARDS)
    elif directory.is_dir():
        _check_empty(directory)


def _check_encodable(directory: Path) -> None:
    """Raise InputError for a path that is not UTF-8: database, records and answers have to name it."""
    try:
        os.fspath(directory.absolute()).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            expected="the path of a library in UTF-8",
            got=os.fsencode(directory).decode("utf-8", "backslashreplace"),
            hint="rename the folder, or choose another path with --library",
        ) from error


def _check_empty(directory: Path) -> None:
    """Raise InputError if a new library would be created among foreign files."""
    try:
        with os.scandir(directory) as entries:
            found = sorted(entry.name for entry in entries if not _is_left_by_us(entry))
    except OSError as error:
        raise StorageError(f"cannot read the directory {directory}: {error.strerror}") from error
    if found:
        shown = ", ".join(found[:_MAX_SHOWN_NAMES]) + (" …" if len(found) > _MAX_SHOWN_NAMES else "")
        raise InputError(
            expected="an empty or missing folder for a new library",
            got=f"{shown} in {directory}",
            hint=f"choose another path, such as: --library {directory / 'library.snapseek'}",
        )


def _is_left_by_us(entry: "os.DirEntry[str]") -> bool:
    """Return whether a first index that was interrupted leaves such an entry."""
    if entry.name == SHARDS:
        return entry.is_dir(follow_symlinks=False) and not os.listdir(entry.path)  # noqa: PTH208
    if entry.name == MEMORY_TABLES:
        return entry.is_dir(follow_symlinks=False)
    has_our_name = entry.name == LOCK_NAME or is_draft_of(entry.name, Path(FILE_NAME))
    return has_our_name and entry.is_file(follow_symlinks=False)


def _has_our_tables(connection: sqlite3.Connection) -> bool:
    """Return whether this is a library of a version that gave its database no application id."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not {"settings", "shards", "files", "imports"} <= tables:
        return False
    found = connection.execute("SELECT value FROM settings WHERE name = 'format'").fetchone()
    return found is not None


def make_directory(directory: Path) -> bool:
    """Create the directory of a library. Return whether it was missing.

    Raises
    ------
    StorageError
        If the disk refuses, or there is a file of that name.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir()
    except OSError as error:
        if isinstance(error, FileExistsError) and directory.is_dir():
            return False
        raise StorageError(
            f"cannot create the library {directory}: {error.strerror}",
            hint="choose another path with --library",
        ) from error
    return True


def create_library_database(path: Path) -> os.stat_result:
    """Create a database with the tables of a library at `path`. Return its status on the disk."""
    try:
        create_database(
            path,
            (
                TABLES,
                OWNED_FILE_TABLES,
                SIDECAR_TABLE,
                FOLDER_TABLES,
                UPGRADE_TABLES,
                CONCEPT_TABLES,
                FIRST_ROW,
            ),
            APPLICATION_ID,
        )
        return path.lstat()
    except OSError as error:
        raise StorageError(f"cannot create {path}: {error.strerror}") from error


def remove_unused(directory: Path, *, is_new_directory: bool) -> None:
    """Remove the lock and the empty directories of a first index that committed nothing."""
    with suppress(StorageError), OwnedDirectory(directory.resolve()) as opened:
        opened.remove(LOCK_NAME)
    with suppress(OSError):
        (directory / SHARDS).rmdir()
    if is_new_directory:
        with suppress(OSError):
            directory.rmdir()
