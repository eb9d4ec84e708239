"""Connections to SQLite databases that another program may have changed, and what their errors mean."""

import sqlite3
from pathlib import Path

from snapseek.errors import FormatError, LibraryBusyError, StorageError

BUSY_TIMEOUT_S = 5.0
"""How long a statement, or a new writer, waits for a lock."""

_MAX_VALUE_BYTES = 1 << 24
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


def connect(uri: str) -> sqlite3.Connection:
    """Open a database without implicit transactions.

    Limits what a damaged or hostile schema can do, see https://sqlite.org/security.html.

    Parameters
    ----------
    uri
        A `file:` URI.

    Raises
    ------
    StorageError
        If the file cannot be opened.
    sqlite3.DatabaseError
        If it is not a database.
    """
    try:
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.OperationalError as error:
        raise StorageError(f"cannot open the database {uri.partition('?')[0]}: {error}") from error
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA fullfsync = ON")  # of macOS, see `flush_to_disk`
    except BaseException:
        connection.close()
        raise
    return connection


def as_library_error(error: Exception, path: Path, hint: str) -> Exception:
    """Return the error to raise for an error of SQLite: busy, refused by the disk, or damaged.

    A text that is not UTF-8 raises UnicodeDecodeError, which has no error code: it means damage.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LibraryBusyError(
            f"another process is writing {path.parent}", hint="wait until it has finished"
        )
    if code & 0xFF in _DISK_CODES and code != sqlite3.SQLITE_IOERR_SHORT_READ:
        return StorageError(f"cannot read or write {path}: {error}")
    problem = ascii(str(error))[1:-1][:300]
    return FormatError(f"{path} is damaged or not a database of snapseek ({problem})", hint=hint)
