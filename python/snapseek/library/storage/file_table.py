"""The files of a library's sources, each with the picture that it became or the reason why it did not."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from snapseek.library.storage.checked_values import MIN_TIME, Checker
from snapseek.library.storage.schema import FILES, FOLDER, MIN_ID, PENDING_BYTES
from snapseek.library.storage.source_table import Source

_REMOVED = "removed from the library by hand"


@dataclass(frozen=True)
class FileRow:
    """A file of a source: the id of its picture, or the reason why it has none.

    `content` is the hash of its bytes, if it was computed. `is_removed` says that the user removed the
    picture from the library while the file stays.
    """

    folder: Path
    within: str
    size_bytes: int
    modified_ns: int
    item: int | None
    reason: str | None
    content: bytes | None = None
    is_removed: bool = False


class FileTable:
    """The table `files`. Paths within a source are bytes, as the file system has them."""

    def __init__(self, connection: sqlite3.Connection, check: Checker) -> None:
        self._connection = connection
        self._check = check

    def all(self) -> Iterator[FileRow]:
        """Yield every file of every source, in order of path."""
        rows = self._connection.execute(
            "SELECT place, within, size_bytes, modified_ns, item, reason, content, is_removed, kind "
            "FROM files JOIN sources ON number = source ORDER BY place, within"
        )
        check = self._check
        folders: dict[bytes, Path] = {}  # checked once, not for each of a million files
        for folder, within, size, time, item, reason, content, is_removed, kind in rows:
            check_key = check.name_within if kind in (FOLDER, FILES) else check.key
            if folder not in folders:
                folders[folder] = check.path(folder)
            yield FileRow(
                folders[folder],
                check_key(within, "the name of a file"),
                check.whole(size, "the size of a file", PENDING_BYTES),
                check.whole(time, "the time of a file", MIN_TIME),
                check.whole_or_none(item, "an id", MIN_ID),
                check.text_or_none(reason, "a reason"),
                check.data_or_none(content, "the hash of a file"),
                bool(check.whole(is_removed, "a flag", high=1)),
            )

    def names(self, source: Source) -> list[str]:
        """Return the names of a source's files, in order."""
        query = "SELECT within FROM files WHERE source = ? ORDER BY within"
        return [os.fsdecode(within) for (within,) in self._connection.execute(query, (source.number,))]

    def stamp(self, source: Source, within: str) -> tuple[int, int] | None:
        """Return size and time of a file of a source as they were when it was indexed; None if it is new."""
        query = "SELECT size_bytes, modified_ns FROM files WHERE source = ? AND within = ?"
        row = self._connection.execute(query, (source.number, os.fsencode(within))).fetchone()
        return None if row is None else (row[0], row[1])

    def samples(self, source: int, count: int) -> list[tuple[str, int]]:
        """Return name and size of the first and the last pictures of a source, at most `count` of each."""
        found = []
        for order in ("ASC", "DESC"):
            query = (
                "SELECT within, size_bytes FROM files WHERE source = ? AND item IS NOT NULL "  # noqa: S608
                f"ORDER BY within {order} LIMIT ?"
            )
            rows = self._connection.execute(query, (source, count)).fetchall()
            found += [(self._check.name_within(within, "the name of a file"), size) for within, size in rows]
        return found

    def counts(self) -> dict[int, int]:
        """Return the number of pictures of each source, by the number of the source."""
        query = "SELECT source, count(item) FROM files GROUP BY source"
        return dict(self._connection.execute(query).fetchall())

    def items(self, source: Source) -> list[int]:
        """Return the ids of a source's pictures."""
        query = "SELECT item FROM files WHERE source = ? AND item IS NOT NULL"
        return [item for (item,) in self._connection.execute(query, (source.number,))]

    def below(self, source: Source, within: bytes) -> list[tuple[bytes, int | None]]:
        """Return path and id of the file at `within`, or of every file below that folder."""
        return self._connection.execute(
            "SELECT within, item FROM files WHERE source = ? AND (within = ? OR substr(within, 1, ?) = ?)",
            (source.number, within, len(within) + 1, within + b"/"),
        ).fetchall()

    def mark_removed(self, items: Iterable[int]) -> None:
        """Record that the user removed pictures, by their ids."""
        self._connection.executemany(
            "UPDATE files SET item = NULL, reason = ?, is_removed = 1 WHERE item = ?",
            [(_REMOVED, item) for item in items],
        )

    def mark_removed_within(self, source: Source, paths: Iterable[bytes]) -> None:
        """Record that the user removed the pictures of files, by their paths within a source."""
        self._connection.executemany(
            "UPDATE files SET item = NULL, reason = ?, is_removed = 1 WHERE source = ? AND within = ?",
            [(_REMOVED, source.number, path) for path in paths],
        )

    def mark_failed(self, items: Iterable[int], reason: str) -> None:
        """Record why pictures are no longer in the library, by their ids."""
        self._connection.executemany(
            "UPDATE files SET item = NULL, reason = ? WHERE item = ?", [(reason, item) for item in items]
        )

    def mark_pending(self, items: Iterable[int]) -> None:
        """Make the next sync embed pictures again, under the ids that they have."""
        self._connection.executemany(
            "UPDATE files SET size_bytes = ?, content = NULL WHERE item = ?",
            [(PENDING_BYTES, item) for item in items],
        )

    def embedded_items(self) -> Iterator[int]:
        """Yield the ids of all files whose pictures need not be embedded again."""
        query = "SELECT item FROM files WHERE item IS NOT NULL AND size_bytes <> ?"
        return (item for (item,) in self._connection.execute(query, (PENDING_BYTES,)))
