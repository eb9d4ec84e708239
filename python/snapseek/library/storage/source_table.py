"""The sources of a library: where its pictures and vectors came from."""

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from snapseek.errors import OutOfRangeError
from snapseek.library.storage.checked_values import Checker
from snapseek.library.storage.schema import FOLDER, IMPORT

MAX_SOURCES = 16_384
"""Each is read whenever the library is opened."""


@dataclass(frozen=True)
class Source:
    """Where pictures or vectors came from: the folder or list at `path`, read as `kind` says."""

    number: int
    kind: str
    path: Path


def folders_of(sources: Iterable[Source]) -> tuple[Path, ...]:
    """Return the paths of sources: the indexed ones, then the imported ones."""
    in_order = sorted(sources, key=lambda source: (source.kind == IMPORT, os.fsencode(source.path)))
    return tuple(dict.fromkeys(source.path for source in in_order))


class SourceTable:
    """The table `sources`."""

    def __init__(self, connection: sqlite3.Connection, check: Checker) -> None:
        self._connection = connection
        self._check = check

    def all(self) -> list[Source]:
        """Return every source, in the order in which they were added."""
        rows = self._connection.execute("SELECT number, kind, place FROM sources ORDER BY number")
        check = self._check
        return [
            Source(check.whole(number, "a source"), check.text(kind, "its kind"), check.path(path))
            for number, kind, path in check.at_most(MAX_SOURCES, "sources", rows)
        ]

    def get_or_create(self, kind: str, path: Path) -> Source:
        """Return the source of that kind and path; add it if it is missing.

        Raises OutOfRangeError if there are `MAX_SOURCES` already.
        """
        key = (kind, os.fsencode(self._check.relocation.recorded_path(path)))
        self._connection.execute("INSERT OR IGNORE INTO sources (kind, place) VALUES (?, ?)", key)
        (count,) = self._connection.execute("SELECT count(*) FROM sources").fetchone()
        if count > MAX_SOURCES:
            raise OutOfRangeError(
                expected=f"at most {MAX_SOURCES} folders, files and lists in one library",
                got=str(count),
                hint="index a folder above them",
            )
        query = "SELECT number FROM sources WHERE kind = ? AND place = ?"
        return Source(self._connection.execute(query, key).fetchone()[0], kind, path)

    def recorded_folders(self) -> list[tuple[int, Path]]:
        """Return number and recorded path of each folder of pictures."""
        rows = self._connection.execute("SELECT number, place FROM sources WHERE kind = ?", (FOLDER,))
        return [
            (number, self._check.recorded_path(path))
            for number, path in self._check.at_most(MAX_SOURCES, "sources", rows)
        ]

    def remove(self, source: Source) -> None:
        """Remove a source with the rows of its files. Its shards and tombstones stay."""
        key = (source.number,)
        self._connection.execute("DELETE FROM files WHERE source = ?", key)
        self._connection.execute("DELETE FROM sidecars WHERE source = ?", key)
        self._connection.execute("DELETE FROM imports WHERE source = ?", key)
        self._connection.execute("DELETE FROM sources WHERE number = ?", key)
