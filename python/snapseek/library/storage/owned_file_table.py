"""A record of the files in `shards/` that the library wrote; only these are ever removed."""

import sqlite3
from collections.abc import Iterable, Mapping

from snapseek.library.storage.checked_values import Checker
from snapseek.library.storage.schema import DRAFT, DROPPED

_MAX_STEMS = 65_536
_MAX_FILES = 65_536
"""Stems without a shard, and files of one stem, which has one for each column of the user."""

FileIdentity = tuple[int, int | None, int | None]
"""The inode of a file; of a finished one also its size and its modification time."""


class OwnedFileTable:
    """The tables `own_stems`, `own_files` and `shard_files`."""

    def __init__(self, connection: sqlite3.Connection, check: Checker) -> None:
        self._connection = connection
        self._check = check
        self.drafts: set[str] = set()
        """The stems of the shards that this process is writing."""

    def add_stem(self, stem: str) -> None:
        """Record, in a commit of its own, that files of this stem are ours."""
        self._connection.execute("INSERT INTO own_stems VALUES (?, ?)", (stem, DRAFT))

    def add_files(self, stem: str, files: Mapping[str, FileIdentity]) -> None:
        """Record files that were created, by name, in one commit."""
        values = [value for name, identity in files.items() for value in (stem, name, *identity)]
        marks = ", ".join(["(?, ?, ?, ?, ?)"] * len(files))
        self._connection.execute(f"INSERT OR REPLACE INTO own_files VALUES {marks}", values)  # noqa: S608

    def files_of(self, stem: str) -> dict[str, FileIdentity]:
        """Return the recorded files of a stem."""
        query = (
            "SELECT name, inode, size_bytes, modified_ns FROM own_files WHERE stem = ? "
            "UNION ALL SELECT name, inode, size_bytes, modified_ns FROM shard_files WHERE stem = ?"
        )
        rows = self._connection.execute(query, (stem, stem))
        found: dict[str, FileIdentity] = {}
        for name, inode, size_bytes, modified_ns in self._check.at_most(_MAX_FILES, "files of a shard", rows):
            found[name] = (inode, size_bytes, modified_ns)
        return found

    def stems(self) -> dict[str, str]:
        """Return the stems of files that belong to no shard, each with its state."""
        try:
            rows = self._connection.execute("SELECT stem, state FROM own_stems")
            return dict(self._check.at_most(_MAX_STEMS, "stems without a shard", rows))
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return {}  # written by an earlier version, which recorded nothing

    def remove_stems(self, stems: Iterable[str]) -> None:
        """Remove the records of stems that have no file any more, in one commit."""
        keys = [(stem,) for stem in stems]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for table in ("own_stems", "own_files", "shard_files"):
                self._connection.executemany(f"DELETE FROM {table} WHERE stem = ?", keys)  # noqa: S608
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise


def keep_files(connection: sqlite3.Connection, stem: str) -> None:
    """Record, within the open transaction, that the files of a stem are no longer those of a draft."""
    key = (stem,)
    connection.execute("DELETE FROM own_stems WHERE stem = ?", key)
    connection.execute(
        "INSERT OR REPLACE INTO shard_files SELECT * FROM own_files "
        "WHERE stem = ? AND size_bytes IS NOT NULL",
        key,
    )
    connection.execute("DELETE FROM own_files WHERE stem = ?", key)


def drop_files(connection: sqlite3.Connection, stems: Iterable[str], state: str = DROPPED) -> None:
    """Record, within the open transaction, that the files of these stems may be removed."""
    connection.executemany(
        "INSERT OR REPLACE INTO own_stems VALUES (?, ?)", [(stem, state) for stem in stems]
    )
