"""Create SQLite databases atomically, and prove that an existing one is ours before SQLite opens it.

Opening alone may write next to a file. So the header has to have our application id; a file without an id has
to have our tables, which are read in immutable mode. Any other file stays as it is, to the byte.
"""

import os
import re
import secrets
import sqlite3
import stat
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

from snapseek.atomic_file import flush_to_disk, publish_new, remove_created
from snapseek.errors import FormatError, StorageError
from snapseek.library.storage.fsync import sync_directory
from snapseek.library.storage.kept_descriptors import first_locked_bytes
from snapseek.library.storage.owned_files import OwnedDirectory
from snapseek.library.storage.write_ahead_log import is_log_of, page_size_of

_HEADER = b"SQLite format 3\0"
_HEADER_BYTES = 100
_APPLICATION_ID_AT = 68
_WRITE_AHEAD = slice(18, 20), b"\2\2"
"""The header's format versions for readers and writers, set to write-ahead mode."""

_SHM_VERSION = struct.pack("=I", 3007000)
_TRIES = 5
_DRAFT = re.compile(r"\.[0-9a-f]{8}\.tmp")

IsOurs = Callable[[sqlite3.Connection], bool]


def create_database(path: Path, statements: Sequence[str], application_id: int) -> None:
    """Create a database with the tables of `statements` at `path`, in write-ahead mode.

    It appears complete or not at all. Raises FileExistsError if the name is taken, OSError if the disk
    refuses, StorageError if a foreign file has a name that SQLite would use.
    """
    image = _image(statements, application_id)
    _check_side_files(path, image, {application_id}, writing=True)
    _remove_drafts(path, image)
    if not _publish_unnamed(path, image):
        _publish_named(path, image)
    sync_directory(path.parent)


def _image(statements: Sequence[str], application_id: int) -> bytes:
    """Return the bytes of the database file."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(";".join(statements))
        connection.execute(f"PRAGMA application_id = {application_id}")
        image = bytearray(connection.serialize())
    position, versions = _WRITE_AHEAD
    image[position] = versions
    return bytes(image)


def _publish_unnamed(path: Path, image: bytes) -> bool:
    """Write an unnamed file (O_TMPFILE) and then link it. Return False if the system has no such files."""
    if not hasattr(os, "O_TMPFILE"):
        return False
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            descriptor = os.open(path.parent, os.O_WRONLY | os.O_TMPFILE, 0o666)
        except OSError:
            return False
        with os.fdopen(descriptor, "wb") as file:
            _write(file.fileno(), image)
            try:
                os.link(f"/proc/self/fd/{descriptor}", path.name, dst_dir_fd=directory, follow_symlinks=True)
            except FileExistsError:
                raise
            except OSError:
                return False
        return True
    finally:
        os.close(directory)


def _publish_named(path: Path, image: bytes) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    created = os.fstat(descriptor)
    try:
        with os.fdopen(descriptor, "wb"):
            _write(descriptor, image)
        publish_new(draft, path)
    finally:
        remove_created(draft, created)


def _write(descriptor: int, image: bytes) -> None:
    remaining = memoryview(image)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]
    flush_to_disk(descriptor)


def is_draft_of(name: str, path: Path) -> bool:
    """Return whether an interrupted `create_database` may have left a file of that name."""
    return name.startswith(path.name) and _DRAFT.fullmatch(name[len(path.name) :]) is not None


def _remove_drafts(path: Path, image: bytes) -> None:
    """Remove drafts of a killed `create_database`: files that are a prefix of the new one."""
    with OwnedDirectory(path.parent.resolve()) as directory:
        for name in directory.names():
            if is_draft_of(name, path):
                content = directory.first_bytes(name, len(image) + 1)
                if len(content) >= _HEADER_BYTES and image.startswith(content):
                    directory.remove(name)


def prove_ours(path: Path, application_id: int, is_ours: IsOurs, *, writing: bool) -> None:
    """Raise unless the database at `path` is ours and SQLite may open it; nothing is written.

    Parameters
    ----------
    path
        An existing file.
    application_id
        What the header of ours says. One that says 0 was made before there were ids.
    is_ours
        Whether the tables of a database without an id are ours.
    writing
        Whether the database is to be opened for writing.

    Raises
    ------
    FormatError
        If the file is not a database of ours.
    StorageError
        If it, or a file that SQLite keeps next to it, is a link or has a second name.
    """
    if writing:
        _check_plain(path)
    header = first_locked_bytes(path.resolve(), _HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_HEADER):
        raise _not_ours(path, "file is not a database")
    (found,) = struct.unpack_from(">I", header, _APPLICATION_ID_AT)
    if found not in (0, application_id):
        raise _not_ours(path, f"it is a database of another program, with the application id {found:#x}")
    if found == 0:
        _prove_tables(path, is_ours)
    _check_side_files(path, header, {found, application_id}, writing=writing)


def _prove_tables(path: Path, is_ours: IsOurs) -> None:
    problem = ""
    for _ in range(_TRIES):  # a writer may be copying pages into the file
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as connection:
                if is_ours(connection):
                    return
            problem = "it is a database of another program"
        except sqlite3.DatabaseError as error:
            problem = str(error)
        time.sleep(0.01)
    raise _not_ours(path, problem)


def _not_ours(path: Path, problem: str) -> FormatError:
    return FormatError(
        f"{path} is damaged or not a library ({problem}) and was left as it is",
        hint="index the folder into another one with --library",
    )


def _check_plain(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"cannot open {path}: {error.strerror}") from error
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        return
    found = "a file that has a second name (a hard link)"
    if not stat.S_ISREG(status.st_mode):
        found = "a link" if stat.S_ISLNK(status.st_mode) else "another kind of file"
    raise StorageError(
        expected=f"{path} to be a plain file",
        got=f"{found}, which is left as it is",
        hint="replace it by a copy, or move it away",
    )


def _check_side_files(path: Path, header: bytes, application_ids: set[int], *, writing: bool) -> None:
    """Raise StorageError if SQLite would write to, or remove, a foreign file next to the database."""
    log, shared, journal = (path.with_name(f"{path.name}-{suffix}") for suffix in ("wal", "shm", "journal"))
    _check_plain(shared)
    beginning = first_locked_bytes(shared, len(_SHM_VERSION))
    # SQLite cuts a stale file to three bytes while another process or thread opens the database.
    if any(beginning) and not _SHM_VERSION.startswith(beginning):
        raise _foreign_side_file(shared)
    _check_plain(log)
    _check_plain(journal)  # a reader opens it, too, and would wait for the writer of a pipe
    if writing and not is_log_of(log, page_size_of(header), application_ids):
        raise _foreign_side_file(log)
    if writing and os.path.lexists(journal):
        raise _foreign_side_file(journal)


def _foreign_side_file(path: Path) -> StorageError:
    return StorageError(
        expected=f"no {path.name} but that of SQLite",
        got=f"another file at {path}, which is left as it is",
        hint="move it away",
    )


def remove_database(path: Path, created: os.stat_result) -> None:
    """Remove a closed database that this process created, with the files that SQLite keeps next to it."""
    with suppress(StorageError), OwnedDirectory(path.parent.resolve()) as directory:
        if directory.remove(path.name, created):
            for suffix in ("-wal", "-shm"):
                directory.remove(path.name + suffix)
