"""Compare the sidecar files that the library read with those that are there now.

A sidecar that was added, changed or removed changes the metadata of its picture, not the picture. The row
of a table with the picture is compared like a sidecar.
"""

import os
import sqlite3
from collections.abc import Iterable, Sequence

from snapseek.sources import Picture
from snapseek.sources.picture import SidecarFile

Key = tuple[int, bytes]
"""The source of a picture, and its path there."""

_LAST = 1 << 30
_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS seen_sidecars (
    source INTEGER,
    within BLOB,
    name BLOB,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (source, within, name)
) WITHOUT ROWID;
"""
_DESCRIBED = """
CREATE TEMP TABLE described AS SELECT s.*, f.item FROM temp.seen AS s
JOIN main.files AS f ON f.source = s.source AND f.within = s.within
WHERE f.item IS NOT NULL AND s.problem IS NULL
    AND (s.source IN (SELECT number FROM main.sources WHERE kind IN ('folder', 'files'))
        OR EXISTS (SELECT 1 FROM temp.seen_sidecars AS n WHERE n.source = s.source AND n.within = s.within))
    AND f.size_bytes = s.size_bytes AND f.modified_ns = s.modified_ns
    AND (:everything OR EXISTS (
        SELECT 1 FROM temp.seen_sidecars AS n
        WHERE n.source = s.source AND n.within = s.within AND NOT EXISTS (
            SELECT 1 FROM main.sidecars AS o WHERE o.source = n.source AND o.within = n.within
                AND o.name = n.name AND o.size_bytes = n.size_bytes AND o.modified_ns = n.modified_ns))
    OR EXISTS (
        SELECT 1 FROM main.sidecars AS o
        WHERE o.source = s.source AND o.within = s.within AND NOT EXISTS (
            SELECT 1 FROM temp.seen_sidecars AS n WHERE n.source = o.source AND n.within = o.within
                AND n.name = o.name)))
ORDER BY s.number
"""


class SidecarTracker:
    """The sidecar table of a database that is open for writing, compared with a scan of its sources."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(_TABLE)

    def clear(self) -> None:
        """Forget the files of an earlier scan."""
        self._connection.execute("DELETE FROM temp.seen_sidecars")

    def scan(self, source: int, pictures: Iterable[Picture]) -> None:
        """Record the sidecar files of pictures, within the open transaction."""
        rows = (
            (
                source,
                os.fsencode(p.within),
                os.fsencode(file.name),
                file.size_bytes,
                file.modified_ns,
                position,
            )
            for p in pictures
            for position, file in enumerate(p.sidecars or ())
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO temp.seen_sidecars VALUES (?, ?, ?, ?, ?, ?)", rows
        )

    def scan_rows(self, source: int, rows: Iterable[tuple[str, SidecarFile]]) -> None:
        """Record the rows of tables that describe pictures, as their last sidecar files."""
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany(
                "INSERT OR IGNORE INTO temp.seen_sidecars VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (
                        source,
                        os.fsencode(within),
                        os.fsencode(row.name),
                        row.size_bytes,
                        row.modified_ns,
                        _LAST,
                    )
                    for within, row in rows
                ),
            )
        finally:
            self._connection.execute("COMMIT")

    def of(self, source: int, within: bytes) -> tuple[SidecarFile, ...]:
        """Return the scanned sidecar files of a picture, those that override first."""
        rows = self._connection.execute(
            "SELECT name, size_bytes, modified_ns FROM temp.seen_sidecars WHERE source = ? AND within = ? "
            "ORDER BY position",
            (source, within),
        )
        return tuple(SidecarFile(os.fsdecode(name), size, time) for name, size, time in rows)

    def plan(self, *, everything: bool = False) -> int:
        """Plan to read the metadata of unchanged pictures again. Return how many pictures that is.

        These are pictures with new, changed or removed sidecar files; with `everything` all picture files.
        """
        self._connection.execute("DROP TABLE IF EXISTS temp.described")
        self._connection.execute(_DESCRIBED, {"everything": everything})
        (count,) = self._connection.execute("SELECT count(*) FROM temp.described").fetchone()
        return int(count)

    def store(self, keys: Sequence[Key]) -> None:
        """Store the scanned sidecar files of pictures as read, within the open transaction."""
        self.remove(keys)
        self._connection.executemany(
            "INSERT OR REPLACE INTO main.sidecars "
            "SELECT source, within, name, size_bytes, modified_ns FROM temp.seen_sidecars "
            "WHERE source = ? AND within = ?",
            keys,
        )

    def remove(self, keys: Sequence[Key]) -> None:
        """Forget the sidecar files of pictures, within the open transaction."""
        self._connection.executemany("DELETE FROM main.sidecars WHERE source = ? AND within = ?", keys)
