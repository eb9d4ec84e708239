"""What is known of the files of some sources, compared with what is there now.

The comparison is SQL over temporary tables: a folder may have a million files, and most of them are as they
were.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from snapseek.library.storage.database import Database, Source
from snapseek.sources import Picture
from snapseek.sources.picture import content_hash

_PAGE_ROWS = 1000
_TABLES = """
DROP TABLE IF EXISTS temp.seen;
CREATE TEMP TABLE seen (
    number INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    within BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    problem TEXT,
    UNIQUE (source, within)
);
DROP TABLE IF EXISTS temp.looked;
CREATE TEMP TABLE looked (source INTEGER PRIMARY KEY);
DROP TABLE IF EXISTS temp.gone;
CREATE TEMP TABLE gone (source INTEGER, within BLOB, size_bytes INTEGER, content BLOB, item INTEGER);
DROP TABLE IF EXISTS temp.todo;
"""
_PLAN = """
CREATE TEMP TABLE todo AS SELECT s.*, f.item FROM temp.seen AS s
LEFT JOIN main.files AS f ON f.source = s.source AND f.within = s.within
WHERE f.within IS NULL OR f.size_bytes <> s.size_bytes OR f.modified_ns <> s.modified_ns
    OR (:everything AND f.is_removed = 0)
    OR (:retry_failed AND f.reason IS NOT NULL AND f.is_removed = 0)
    OR (:retry_failed AND f.is_removed = 1 AND s.source NOT IN (SELECT source FROM temp.looked))
ORDER BY s.number
"""


@dataclass(frozen=True)
class KnownFile:
    """A file that was seen, whose picture the library has: it came from `old`, or is where it was."""

    picture: Picture
    source: int
    old: tuple[int, bytes]
    item: int | None


@dataclass(frozen=True)
class PendingImage:
    """A picture to embed, and the id that it has already, if the library holds an older state of it."""

    picture: Picture
    source: int
    item: int | None


class FileTracker:
    """The files of the catalogue beside those that are seen; the writer's own."""

    def __init__(self, catalogue: Database) -> None:
        """Begin to look; nothing is seen yet."""
        self._connection = catalogue.connection
        self._connection.executescript(_TABLES)
        self._places = {source.number: source.place for source in catalogue.sources()}

    def scan(self, source: Source, pictures: Iterable[Picture], *, is_whole: bool = True) -> int:
        """Note what is there of a source, how many files; `is_whole` says that what it lacks is gone."""
        self._places[source.number] = source.place
        self._connection.execute("BEGIN")
        try:
            if is_whole:
                self._connection.execute("INSERT OR IGNORE INTO temp.looked VALUES (?)", (source.number,))
            rows = (
                (source.number, os.fsencode(p.within), p.size_bytes, p.modified_ns, p.problem)
                for p in pictures
            )
            cursor = self._connection.executemany(
                "INSERT OR IGNORE INTO temp.seen (source, within, size_bytes, modified_ns, problem) "
                "VALUES (?, ?, ?, ?, ?)",
                rows,
            )
        finally:
            self._connection.execute("COMMIT")
        return cursor.rowcount

    def compare(self, *, threads: int) -> tuple[list[KnownFile], list[KnownFile]]:
        """The files that were moved, and those whose bytes are as they were though their time is not.

        They are not seen any more then: what is left is new, changed, unchanged or gone.
        """
        self._note_gone()
        moved = self._moved(threads)
        touched = self._touched(threads)
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "DELETE FROM temp.gone WHERE source = ? AND within = ?", [known.old for known in moved]
        )
        self._connection.executemany(
            "DELETE FROM temp.seen WHERE source = ? AND within = ?",
            [(known.source, os.fsencode(known.picture.within)) for known in [*moved, *touched]],
        )
        self._connection.execute("COMMIT")
        return moved, touched

    def _note_gone(self) -> None:
        """What is not seen, unless it lies in a folder that could not be looked into."""
        self._connection.execute(
            "INSERT INTO temp.gone SELECT source, within, size_bytes, content, item FROM main.files AS f "
            "WHERE source IN (SELECT source FROM temp.looked) AND NOT EXISTS "
            "(SELECT 1 FROM temp.seen AS s WHERE s.source = f.source AND s.within = f.within)"
        )
        hidden = self._connection.execute("SELECT source, within FROM temp.seen WHERE problem IS NOT NULL")
        for source, within in hidden.fetchall():
            prefix = b"" if within == b"." else within + b"/"
            self._connection.execute(
                "DELETE FROM temp.gone WHERE source = ? AND substr(within, 1, ?) = ?",
                (source, len(prefix), prefix),
            )

    def _moved(self, threads: int) -> list[KnownFile]:
        candidates = self._pictures(
            "SELECT s.*, NULL FROM temp.seen AS s WHERE s.problem IS NULL AND NOT EXISTS "
            "(SELECT 1 FROM main.files AS f WHERE f.source = s.source AND f.within = s.within) "
            "AND s.size_bytes IN (SELECT size_bytes FROM temp.gone WHERE content IS NOT NULL) "
            "ORDER BY s.number"
        )
        known: defaultdict[tuple[int, bytes], list[tuple[int, bytes, int | None]]] = defaultdict(list)
        if candidates:
            rows = self._connection.execute(
                "SELECT size_bytes, content, source, within, item FROM temp.gone WHERE content IS NOT NULL "
                "ORDER BY source DESC, within DESC"
            )
            for size_bytes, content, *old in rows:
                known[size_bytes, content].append((old[0], old[1], old[2]))
        moved = []
        for todo, content in zip(candidates, _hashes(candidates, threads), strict=True):
            same = known.get((todo.picture.size_bytes, content)) if content else None
            if same:
                source, within, item = same.pop()
                moved.append(KnownFile(todo.picture, todo.source, (source, within), item))
        return moved

    def _touched(self, threads: int) -> list[KnownFile]:
        rows = self._connection.execute(
            "SELECT s.*, f.item, f.content FROM temp.seen AS s "
            "JOIN main.files AS f ON f.source = s.source AND f.within = s.within "
            "WHERE s.problem IS NULL AND f.content IS NOT NULL AND s.size_bytes = f.size_bytes "
            "AND s.modified_ns <> f.modified_ns ORDER BY s.number"
        ).fetchall()
        files = [self._todo(row[:-1]) for row in rows]
        return [
            KnownFile(todo.picture, todo.source, (todo.source, os.fsencode(todo.picture.within)), todo.item)
            for todo, row, content in zip(files, rows, _hashes(files, threads), strict=True)
            if content == row[-1]
        ]

    def gone(self) -> list[tuple[int, bytes, int | None]]:
        """Source, path and id of the files that are no longer there."""
        rows = self._connection.execute("SELECT source, within, item FROM temp.gone ORDER BY source, within")
        return rows.fetchall()

    def plan(self, *, retry_failed: bool = False, everything: bool = False) -> tuple[int, int]:
        """Note what is to embed: all that is new or changed; how many that is, and how many are unchanged.

        With `retry_failed` also what failed before, or was removed from a source that was not looked at as a
        whole; with `everything` whatever is seen.
        """
        self._connection.execute("DROP TABLE IF EXISTS temp.todo")
        self._connection.execute(_PLAN, {"everything": everything, "retry_failed": retry_failed})
        (todo,) = self._connection.execute("SELECT count(*) FROM temp.todo").fetchone()
        (seen,) = self._connection.execute("SELECT count(*) FROM temp.seen").fetchone()
        return todo, seen - todo

    def todo(self) -> Iterator[PendingImage]:
        """What is to embed, in the order in which it was seen; commits may come between."""
        last = 0
        while True:
            rows = self._connection.execute(
                "SELECT rowid, * FROM temp.todo WHERE rowid > ? ORDER BY rowid LIMIT ?", (last, _PAGE_ROWS)
            ).fetchall()
            if not rows:
                return
            for row in rows:
                yield self._todo(row[1:])
            last = rows[-1][0]

    def _pictures(self, query: str) -> list[PendingImage]:
        return [self._todo(row) for row in self._connection.execute(query)]

    def _todo(self, row: Sequence[Any]) -> PendingImage:
        _, source, within, size_bytes, modified_ns, problem, item = row
        picture = Picture(self._places[source], os.fsdecode(within), size_bytes, modified_ns, problem)
        return PendingImage(picture, source, item)


def _hashes(files: Sequence[PendingImage], threads: int) -> list[bytes | None]:
    if not files:
        return []
    with ThreadPoolExecutor(threads, thread_name_prefix="hash") as pool:
        return list(pool.map(lambda todo: content_hash(todo.picture.path), files))
