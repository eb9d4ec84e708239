"""What the library knows of its folders besides their pictures: exclusions, skipped files, former ids."""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from snapseek.library.storage.checked_values import Checker
from snapseek.library.storage.schema import PENDING_BYTES

FORMER_DAYS = 30
"""For so long a picture that comes back gets the id that it had."""

_MAX_SKIPPED_ROWS = 1 << 20
_DAY_S = 86_400


@dataclass(frozen=True)
class SkippedRow:
    """Files of one kind that were not read as pictures: their number, and the first of their names."""

    folder: Path
    kind: str
    count: int
    names: tuple[str, ...]


class FolderTable:
    """The tables `exclusions`, `skipped` and `former_items`. A library of an earlier version has none."""

    def __init__(self, connection: sqlite3.Connection, check: Checker) -> None:
        self._connection = connection
        self._check = check

    def exclusions(self, source: int) -> tuple[str, ...]:
        """Return the patterns that are excluded from a source."""
        with _without_table():
            query = "SELECT patterns FROM exclusions WHERE source = ?"
            for (patterns,) in self._connection.execute(query, (source,)):
                return tuple(self._texts(patterns, "patterns"))
        return ()

    def set_exclusions(self, source: int, patterns: Sequence[str]) -> None:
        """Store the patterns that are excluded from a source."""
        row = (source, json.dumps(list(patterns)))
        self._connection.execute("INSERT OR REPLACE INTO exclusions VALUES (?, ?)", row)

    def skipped(self) -> Iterator[SkippedRow]:
        """Yield what was skipped, by folder and kind."""
        query = (
            "SELECT place, s.kind, s.count, s.names FROM skipped AS s "
            "JOIN sources ON number = s.source ORDER BY place, s.kind"
        )
        with _without_table():
            rows = self._connection.execute(query)
            check = self._check
            for path, kind, count, names in check.at_most(_MAX_SKIPPED_ROWS, "kinds of files", rows):
                yield SkippedRow(
                    check.path(path),
                    check.text(kind, "a kind of files"),
                    check.whole(count, "a number of files"),
                    tuple(self._texts(names, "names of files")),
                )

    def skipped_counts(self) -> dict[str, int]:
        """Return the number of skipped files by kind, of all folders together."""
        counts: dict[str, int] = {}
        for row in self.skipped():
            counts[row.kind] = counts.get(row.kind, 0) + row.count
        return counts

    def set_skipped(self, source: int, counts: Mapping[str, int], names: Mapping[str, Sequence[str]]) -> bool:
        """Store what a scan of a source skipped. Return whether it was another result before."""
        rows = sorted(
            (source, kind, count, json.dumps(list(names.get(kind, ())))) for kind, count in counts.items()
        )
        query = "SELECT source, kind, count, names FROM skipped WHERE source = ? ORDER BY kind"
        if self._connection.execute(query, (source,)).fetchall() == rows:
            return False
        self._connection.execute("DELETE FROM skipped WHERE source = ?", (source,))
        self._connection.executemany("INSERT INTO skipped VALUES (?, ?, ?, ?)", rows)
        return True

    def forget(self, source: int) -> None:
        """Remove what belongs to a source that is removed."""
        for table in ("exclusions", "skipped"):
            self._connection.execute(f"DELETE FROM {table} WHERE source = ?", (source,))  # noqa: S608

    def remember_items(self, items: Iterable[int]) -> None:
        """Keep the ids of pictures whose files are gone, by content, and drop the expired ones."""
        now = int(time.time())
        expired = (now - FORMER_DAYS * _DAY_S,)
        self._connection.execute("DELETE FROM former_items WHERE removed_s < ?", expired)
        self._connection.executemany(
            "INSERT OR REPLACE INTO former_items SELECT item, size_bytes, content, ? FROM files "
            "WHERE item = ? AND content IS NOT NULL AND size_bytes <> ?",
            [(now, item, PENDING_BYTES) for item in items],
        )

    def former_items(self, size_bytes: int, content: bytes) -> list[int]:
        """Return the ids that gone pictures with this content had, the oldest first."""
        query = (
            "SELECT item FROM former_items WHERE content = ? AND size_bytes = ? AND removed_s >= ? "
            "AND item NOT IN (SELECT item FROM files WHERE item IS NOT NULL) ORDER BY item"
        )
        since = int(time.time()) - FORMER_DAYS * _DAY_S
        rows = self._connection.execute(query, (content, size_bytes, since)).fetchall()
        return [item for (item,) in rows]

    def forget_items(self, items: Iterable[int]) -> None:
        """Remove the ids that are in use again."""
        keys = [(item,) for item in items]
        self._connection.executemany("DELETE FROM former_items WHERE item = ?", keys)

    def _texts(self, value: object, what: str) -> list[str]:
        try:
            found = json.loads(self._check.text(value, what))
        except ValueError:
            self._check.fail(f"a JSON list as {what}", value)
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            self._check.fail(f"a list of texts as {what}", value)
        return found


@contextmanager
def _without_table() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
