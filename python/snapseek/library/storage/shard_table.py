"""The shards of a library, and the tombstones of their deleted rows."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import OutOfRangeError
from snapseek.library.storage.checked_values import Checker
from snapseek.library.storage.owned_file_table import drop_files, keep_files
from snapseek.library.storage.schema import DROPPED, IMPORT, MIN_ID, PICTURES
from snapseek.library.storage.source_table import SourceTable

MAX_SHARDS = 65_536
"""Each is opened with the library. `sync` and `compact` merge shards long before."""

_STALE_TOMBSTONES = 10_000
"""How many tombstones of no row are read, for `repair` to remove."""


@dataclass(frozen=True)
class ShardRow:
    """A committed shard. `source` is the folder that it was imported from, None for indexed pictures.

    `generation` counts the commits up to the one that added it; `records_crc` is the CRC-32 of its records.
    """

    stem: str
    rows: int
    source: Path | None = None
    generation: int = field(default=0, compare=False)
    records_crc: int | None = field(default=None, compare=False)


class ShardTable:
    """The tables `shards` and `tombstones`."""

    def __init__(self, connection: sqlite3.Connection, check: Checker, sources: SourceTable) -> None:
        self._connection = connection
        self._check = check
        self._sources = sources

    def all(self) -> list[ShardRow]:
        """Return every shard: those of indexed pictures first, then by source, oldest first."""
        rows = self._connection.execute(
            "SELECT stem, rows, place, generation, records_crc FROM shards "
            "LEFT JOIN sources ON number = source ORDER BY source, generation, stem"
        )
        check = self._check
        return [
            ShardRow(
                check.stem(stem),
                check.whole(count, "the rows of a shard"),
                None if path is None else check.path(path),
                check.whole(generation, "the generation of a shard"),
                check.whole_or_none(crc, "the checksum of records", high=2**32 - 1),
            )
            for stem, count, path, generation, crc in check.at_most(MAX_SHARDS, "shards", rows)
        ]

    def add(self, shard: ShardRow) -> None:
        """Add a shard, whose files are no longer those of a draft. Its generation is that of this commit.

        Raises OutOfRangeError if there are `MAX_SHARDS` already.
        """
        source = PICTURES
        if shard.source is not None:
            source = self._sources.get_or_create(IMPORT, shard.source).number
        query = "SELECT coalesce(max(generation), 0) + 1, count(*) FROM shards"
        generation, count = self._connection.execute(query).fetchone()
        if count >= MAX_SHARDS:
            raise OutOfRangeError(
                expected=f"at most {MAX_SHARDS} shards in one library",
                got=str(count + 1),
                hint="run: snapseek compact",
            )
        row = (shard.stem, shard.rows, source, generation, shard.records_crc)
        self._connection.execute("INSERT INTO shards VALUES (?, ?, ?, ?, ?)", row)
        keep_files(self._connection, shard.stem)

    def drop(self, stems: Iterable[str], state: str = DROPPED) -> None:
        """Remove shards and their tombstones, and record that their files may be removed."""
        keys = [(stem,) for stem in stems]
        self._connection.executemany("DELETE FROM shards WHERE stem = ?", keys)
        drop_files(self._connection, [stem for (stem,) in keys], state)
        self._connection.executemany("DELETE FROM tombstones WHERE stem = ?", keys)

    def supersede(self, stem: str, new: ShardRow) -> None:
        """Put a shard of the same rows in the place of another one, whose tombstones it gets."""
        query = "SELECT item FROM tombstones WHERE stem = ?"
        deleted = [item for (item,) in self._connection.execute(query, (stem,))]
        self.drop([stem])
        self.add(new)
        self.add_tombstones(new.stem, deleted)

    def replace(self, source: Path | None, shards: Iterable[ShardRow]) -> None:
        """Make `shards` all the shards of a source; None stands for indexed pictures."""
        self.drop([shard.stem for shard in self.all() if shard.source == source])
        for shard in shards:
            self.add(replace(shard, source=source))

    def tombstones(self) -> dict[str, NDArray[np.int64]]:
        """Return the ids of deleted rows by the stem of their shard, (n,) int64 ascending.

        Raises FormatError if there are more than rows.
        """
        (count,) = self._connection.execute("SELECT total(rows) FROM shards").fetchone()
        limit = int(count) + _STALE_TOMBSTONES
        rows = self._connection.execute("SELECT stem, item FROM tombstones ORDER BY stem, item")
        found: dict[str, list[int]] = {}
        for stem, item in self._check.at_most(limit, "tombstones", rows):
            found.setdefault(self._check.stem(stem), []).append(self._check.whole(item, "an id", MIN_ID))
        return {stem: np.array(items, np.int64) for stem, items in found.items()}

    def add_tombstones(self, stem: str, items: Iterable[int]) -> None:
        """Mark rows of a shard as deleted, by their ids."""
        rows = ((stem, item) for item in items)
        self._connection.executemany("INSERT OR IGNORE INTO tombstones VALUES (?, ?)", rows)

    def remove_tombstones(self, stem: str, items: Iterable[int]) -> None:
        """Remove tombstones of a shard."""
        rows = ((stem, item) for item in items)
        self._connection.executemany("DELETE FROM tombstones WHERE stem = ? AND item = ?", rows)
