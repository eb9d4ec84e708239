"""The files of vectors that a library was imported from."""

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from snapseek.library.storage.checked_values import MIN_TIME, Checker
from snapseek.library.storage.schema import IMPORT
from snapseek.library.storage.source_table import SourceTable

MAX_FILES = 1_000_000
"""Imported files of vectors, each of some thousand rows."""


@dataclass(frozen=True)
class ImportRow:
    """An imported file of vectors: the number of its rows, and why `left_out` of them were skipped."""

    source: Path
    within: str
    size_bytes: int
    modified_ns: int
    rows: int
    left_out: int = 0
    reason: str | None = None


class ImportTable:
    """The table `imports`."""

    def __init__(self, connection: sqlite3.Connection, check: Checker, sources: SourceTable) -> None:
        self._connection = connection
        self._check = check
        self._sources = sources

    def all(self) -> list[ImportRow]:
        """Return every imported file, in order of path."""
        rows = self._connection.execute(
            "SELECT place, within, size_bytes, modified_ns, rows, left_out, reason FROM imports "
            "JOIN sources ON number = source ORDER BY place, within"
        )
        check = self._check
        return [
            ImportRow(
                check.path(source),
                check.name(within, "the name of a file"),
                check.whole(size, "the size of a file"),
                check.whole(time, "the time of a file", MIN_TIME),
                check.whole(count, "the rows of a file"),
                check.whole(left_out, "the skipped rows of a file"),
                check.text_or_none(reason, "a reason"),
            )
            for source, within, size, time, count, left_out, reason in check.at_most(
                MAX_FILES, "imported files", rows
            )
        ]

    def replace(self, source: Path, files: Iterable[ImportRow]) -> None:
        """Make `files` all the files of a source."""
        number = self._sources.get_or_create(IMPORT, source).number
        self._connection.execute("DELETE FROM imports WHERE source = ?", (number,))
        rows = [
            (number, os.fsencode(f.within), f.size_bytes, f.modified_ns, f.rows, f.left_out, f.reason)
            for f in files
        ]
        self._connection.executemany("INSERT INTO imports VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
