"""Compare the file table with the files that are there now: new, changed, moved, touched, gone.

The comparison is SQL over temporary tables: a folder may have a million files, most of them unchanged.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapseek.library.indexing.bounded_map import batched
from snapseek.library.indexing.sidecar_tracker import SidecarTracker
from snapseek.library.storage.database import Database
from snapseek.library.storage.source_table import Source
from snapseek.library.storage.upgrade_table import VERSION
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
DROP TABLE IF EXISTS temp.scanned;
CREATE TEMP TABLE scanned (source INTEGER PRIMARY KEY);
DROP TABLE IF EXISTS temp.absent;
CREATE TEMP TABLE absent (source INTEGER PRIMARY KEY);
DROP TABLE IF EXISTS temp.merged;
CREATE TEMP TABLE merged (source INTEGER PRIMARY KEY, container INTEGER NOT NULL, prefix BLOB NOT NULL);
DROP TABLE IF EXISTS temp.gone;
CREATE TEMP TABLE gone (source INTEGER, within BLOB, size_bytes INTEGER, content BLOB, item INTEGER);
DROP TABLE IF EXISTS temp.pending;
"""
_IS_PENDING = """(f.size_bytes <> s.size_bytes OR f.modified_ns <> s.modified_ns
    OR (:retry_failed AND f.reason IS NOT NULL AND f.is_removed = 0)
    OR (:retry_failed AND f.is_removed = 1 AND s.source NOT IN (SELECT source FROM temp.scanned)))
"""

_PLAN = f"""
CREATE TEMP TABLE pending AS SELECT s.*, f.item FROM temp.seen AS s
LEFT JOIN main.files AS f ON f.source = s.source AND f.within = s.within
WHERE f.within IS NULL OR {_IS_PENDING} ORDER BY s.number
"""  # noqa: S608

_LEFT_OUT = f"""
SELECT f.is_removed, count(*) FROM main.files AS f
JOIN temp.seen AS s ON s.source = f.source AND s.within = f.within
WHERE f.reason IS NOT NULL AND NOT {_IS_PENDING} GROUP BY f.is_removed
"""  # noqa: S608

_UPGRADE_PLAN = f"""
CREATE TEMP TABLE pending AS SELECT s.*, f.item FROM temp.seen AS s
JOIN main.files AS f ON f.source = s.source AND f.within = s.within
JOIN temp.living AS l ON l.item = f.item
LEFT JOIN main.upgrade_items AS u ON u.item = f.item AND u.version = {VERSION} AND u.from_preview = 0
WHERE s.problem IS NULL AND u.item IS NULL ORDER BY s.number
"""  # noqa: S608


@dataclass(frozen=True)
class KnownFile:
    """A file whose picture the library has: `old` is the source and path that it had."""

    picture: Picture
    source: int
    old: tuple[int, bytes]
    item: int | None


@dataclass(frozen=True)
class PendingImage:
    """A picture to embed, with its id if the library has an older version of it."""

    picture: Picture
    source: int
    item: int | None


class FileTracker:
    """The file table of a database that is open for writing, compared with a scan of its sources."""

    def __init__(self, database: Database) -> None:
        self._connection = database.connection
        self._connection.executescript(_TABLES)
        self.accepted: set[tuple[int, bytes]] = set()
        """Source and path of folders that may be unreadable for good."""
        self.unreadable: list[tuple[int, str]] = []
        """Source and path of folders that cannot be read, but have pictures in the library; see `compare`."""
        self.sidecars = SidecarTracker(database.connection)
        self.sidecars.clear()
        self._paths = {source.number: source.path for source in database.sources.all()}

    def scan(self, source: Source, pictures: Iterable[Picture], *, is_whole: bool = True) -> int:
        """Record the files of a source. Return how many are new in this scan.

        With `is_whole` the files that the source lacks are gone.
        """
        self._paths[source.number] = source.path
        self._connection.execute("BEGIN")
        try:
            if is_whole:
                self._connection.execute("INSERT OR IGNORE INTO temp.scanned VALUES (?)", (source.number,))
            return sum(self._record(source.number, page) for page in batched(pictures, _PAGE_ROWS))
        finally:
            self._connection.execute("COMMIT")

    def _record(self, source: int, pictures: Sequence[Picture]) -> int:
        cursor = self._connection.executemany(
            "INSERT OR IGNORE INTO temp.seen (source, within, size_bytes, modified_ns, problem) "
            "VALUES (?, ?, ?, ?, ?)",
            [(source, os.fsencode(p.within), p.size_bytes, p.modified_ns, p.problem) for p in pictures],
        )
        self.sidecars.scan(source, pictures)
        return cursor.rowcount

    def compare(self, *, threads: int) -> tuple[list[KnownFile], list[KnownFile]]:
        """Return the files that were moved, and those with a new modification time but the same bytes.

        `gone` and `plan` then cover the other files.
        """
        self._find_gone()
        merged = self._merged()
        self._forget(merged, [])
        moved = self._moved(threads)
        touched = self._touched(threads)
        self._forget(moved, touched)
        self._connection.execute("DELETE FROM temp.gone WHERE source IN (SELECT source FROM temp.absent)")
        return [*merged, *moved], touched

    def _forget(self, moved: Sequence[KnownFile], touched: Sequence[KnownFile]) -> None:
        """Remove known files from what is gone and from what is to be embedded."""
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "DELETE FROM temp.gone WHERE source = ? AND within = ?", [known.old for known in moved]
        )
        self._connection.executemany(
            "DELETE FROM temp.seen WHERE source = ? AND within = ?",
            [(known.source, os.fsencode(known.picture.within)) for known in [*moved, *touched]],
        )
        self._connection.execute("COMMIT")

    def merge(self, source: Source, container: Source, prefix: str) -> int:
        """Let the scanned pictures of a source be those of its container, where that was scanned with them.

        `prefix` is where the source is in its container. Return how many pictures both have.
        """
        key = (source.number, container.number, os.fsencode(prefix))
        self._connection.execute("INSERT OR REPLACE INTO temp.merged VALUES (?, ?, ?)", key)
        return self._connection.execute(
            "DELETE FROM temp.seen WHERE source = ? AND EXISTS (SELECT 1 FROM temp.seen AS s "
            "WHERE s.source = ? AND s.within = CAST(? || temp.seen.within AS BLOB))",
            key,
        ).rowcount

    def drop_links(self, number: int, links: Iterable[tuple[str, Path]]) -> int:
        """Drop scanned links to files that were scanned themselves. Return how many that are."""
        (scanned,) = self._connection.execute("SELECT group_concat(source) FROM temp.scanned").fetchone()
        roots = [(int(source), os.path.realpath(self._paths[int(source)])) for source in scanned.split(",")]
        dropped = 0
        for within, target in links:
            for source, root in roots:
                if target.is_relative_to(root):
                    key = (number, os.fsencode(within), source, os.fsencode(target.relative_to(root)))
                    dropped += self._connection.execute(
                        "DELETE FROM temp.seen WHERE source = ? AND within = ? "
                        "AND EXISTS (SELECT 1 FROM temp.seen WHERE source = ? AND within = ?)",
                        key,
                    ).rowcount
        return dropped

    def add_absent(self, source: Source) -> None:
        """Let the pictures of a folder that is not there be found elsewhere; what is not found stays."""
        self._connection.execute("INSERT OR IGNORE INTO temp.absent VALUES (?)", (source.number,))

    def keep_below(self, source: int, folder: str) -> int:
        """Take the files below a folder (or `.`) from those that are gone; return how many pictures."""
        prefix = b"" if folder == "." else os.fsencode(folder) + b"/"
        below = "source = ? AND within >= ? AND (within < ? OR ?)"
        key = (source, prefix, prefix[:-1] + b"0", not prefix)  # 0 is the byte after the slash
        query = f"SELECT count(*) FROM temp.gone WHERE {below} AND item IS NOT NULL"  # noqa: S608
        (count,) = self._connection.execute(query, key).fetchone()
        self._connection.execute(f"DELETE FROM temp.gone WHERE {below}", key)  # noqa: S608
        return int(count)

    def _merged(self) -> list[KnownFile]:
        """Return the files of merged sources that their container has now."""
        rows = self._connection.execute(
            "SELECT s.*, g.item, g.source, g.within FROM temp.gone AS g "
            "JOIN temp.merged AS m ON m.source = g.source "
            "JOIN temp.seen AS s ON s.source = m.container AND s.within = CAST(m.prefix || g.within AS BLOB) "
            "JOIN main.files AS f ON f.source = g.source AND f.within = g.within "
            "WHERE s.size_bytes = f.size_bytes AND s.modified_ns = f.modified_ns AND NOT EXISTS "
            "(SELECT 1 FROM main.files AS k WHERE k.source = s.source AND k.within = s.within)"
        ).fetchall()
        files = [self._pending(row[:-2]) for row in rows]
        return [
            KnownFile(file.picture, file.source, (row[-2], row[-1]), file.item)
            for file, row in zip(files, rows, strict=True)
        ]

    def _moved_as_a_whole(self, moved: Sequence[KnownFile]) -> list[KnownFile]:
        """Leave out files of an absent folder unless half of it was found: copies of a few did not move."""
        found = Counter(file.old[0] for file in moved)
        query = (
            "SELECT source, count(*) FROM main.files WHERE source IN (SELECT source FROM temp.absent) "
            "GROUP BY source"
        )
        sizes = dict(self._connection.execute(query).fetchall())
        return [file for file in moved if 2 * found[file.old[0]] >= sizes.get(file.old[0], 0)]

    def _find_gone(self) -> None:
        """Record the files that the scan lacks, except in folders that could not be read."""
        self._connection.execute(
            "INSERT INTO temp.gone SELECT source, within, size_bytes, content, item FROM main.files AS f "
            "WHERE source IN (SELECT source FROM temp.scanned UNION SELECT source FROM temp.absent) "
            "AND NOT EXISTS (SELECT 1 FROM temp.seen AS s WHERE s.source = f.source AND s.within = f.within)"
        )
        hidden = self._connection.execute("SELECT source, within FROM temp.seen WHERE problem IS NOT NULL")
        for source, within in hidden.fetchall():
            if (source, within) not in self.accepted and self.keep_below(source, os.fsdecode(within)):
                self.unreadable.append((source, os.fsdecode(within)))

    def _moved(self, threads: int) -> list[KnownFile]:
        """Return the new files with size and hash of a gone one."""
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
        for new, content in zip(candidates, _hashes(candidates, threads), strict=True):
            same = known.get((new.picture.size_bytes, content)) if content else None
            if same:
                source, within, item = same.pop()
                moved.append(KnownFile(new.picture, new.source, (source, within), item))
        return self._moved_as_a_whole(moved)

    def _touched(self, threads: int) -> list[KnownFile]:
        """Return the known files with another modification time and the same size and hash."""
        rows = self._connection.execute(
            "SELECT s.*, f.item, f.content FROM temp.seen AS s "
            "JOIN main.files AS f ON f.source = s.source AND f.within = s.within "
            "WHERE s.problem IS NULL AND f.content IS NOT NULL AND s.size_bytes = f.size_bytes "
            "AND s.modified_ns <> f.modified_ns ORDER BY s.number"
        ).fetchall()
        files = [self._pending(row[:-1]) for row in rows]
        return [
            KnownFile(file.picture, file.source, (file.source, os.fsencode(file.picture.within)), file.item)
            for file, row, content in zip(files, rows, _hashes(files, threads), strict=True)
            if content == row[-1]
        ]

    def gone(self) -> list[tuple[int, bytes, int | None]]:
        """Return source, path and id of the files that are no longer there."""
        rows = self._connection.execute("SELECT source, within, item FROM temp.gone ORDER BY source, within")
        return rows.fetchall()

    def plan(self, *, retry_failed: bool = False) -> tuple[int, int]:
        """Plan to embed what is new or changed. Return how many pictures that is, and how many are unchanged.

        Parameters
        ----------
        retry_failed
            Also embed what failed before, and what was removed from a source that was not scanned as a whole.
        """
        self._connection.execute("DROP TABLE IF EXISTS temp.pending")
        self._connection.execute(_PLAN, {"retry_failed": retry_failed})
        (pending,) = self._connection.execute("SELECT count(*) FROM temp.pending").fetchone()
        (seen,) = self._connection.execute("SELECT count(*) FROM temp.seen").fetchone()
        return pending, seen - pending

    def left_out(self, known: Iterable[KnownFile], *, retry_failed: bool = False) -> tuple[int, int]:
        """Return how many files stay without a picture: unreadable as before, and removed by the user.

        Parameters
        ----------
        known
            What `compare` returned.
        retry_failed
            As for `plan`.
        """
        rows = self._connection.execute(_LEFT_OUT, {"retry_failed": retry_failed})
        counts = Counter({bool(is_removed): count for is_removed, count in rows})
        query = "SELECT is_removed FROM main.files WHERE source = ? AND within = ?"
        for file in known:
            if file.item is None:
                counts[bool(*self._connection.execute(query, file.old).fetchone())] += 1
        return counts[False], counts[True]

    def plan_upgrade(self) -> None:
        """Plan to embed the scanned pictures of `temp.living` without a vector of the new model."""
        self._connection.execute("DROP TABLE IF EXISTS temp.pending")
        self._connection.execute(_UPGRADE_PLAN)

    def pending(self) -> Iterator[PendingImage]:
        """Yield the planned pictures in the order of the scan. The caller may commit in between."""
        return self._paged("SELECT rowid, * FROM temp.pending WHERE rowid > ? ORDER BY rowid LIMIT ?")

    def described(self) -> Iterator[PendingImage]:
        """Yield the pictures whose metadata `sidecars.plan` found changed, as `pending` does."""
        return self._paged("SELECT rowid, * FROM temp.described WHERE rowid > ? ORDER BY rowid LIMIT ?")

    def _paged(self, query: str) -> Iterator[PendingImage]:
        last = 0
        while True:
            rows = self._connection.execute(query, (last, _PAGE_ROWS)).fetchall()
            if not rows:
                return
            for row in rows:
                yield self._pending(row[1:])
            last = rows[-1][0]

    def _pictures(self, query: str) -> list[PendingImage]:
        return [self._pending(row) for row in self._connection.execute(query)]

    def _pending(self, row: Sequence[Any]) -> PendingImage:
        _, source, within, size_bytes, modified_ns, problem, item = row
        sidecars = self.sidecars.of(source, within)
        picture = Picture(
            self._paths[source], os.fsdecode(within), size_bytes, modified_ns, problem, sidecars=sidecars
        )
        return PendingImage(picture, source, item)


def _hashes(files: Sequence[PendingImage], threads: int) -> list[bytes | None]:
    if not files:
        return []
    with ThreadPoolExecutor(threads, thread_name_prefix="hash") as pool:
        return list(pool.map(lambda file: content_hash(file.picture.path), files))
