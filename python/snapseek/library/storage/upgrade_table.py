"""The second generation of a library: vectors of another model, which no search reads before the switch."""

import sqlite3
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snapseek.library.storage.checked_values import Checker
from snapseek.library.storage.owned_file_table import drop_files, keep_files
from snapseek.library.storage.schema import MIN_ID

VERSION = "coalesce(f.content, CAST(f.size_bytes || ':' || f.modified_ns AS BLOB), X'')"
"""The state of a file `f` in which its picture was embedded: its content, or else its size and time."""

NO_VECTOR = 0
"""The shard of a picture that the new model cannot embed."""

_MAX_SHARDS = 1 << 20


class UpgradeTable:
    """The tables `upgrade_model`, `upgrade_shards` and `upgrade_items`.

    A library of an earlier version has none until the next writer adds them.
    """

    def __init__(self, connection: sqlite3.Connection, check: Checker) -> None:
        self._connection = connection
        self._check = check

    def model(self) -> tuple[str, str] | None:
        """Return name and fingerprint of the model of an unfinished upgrade; None if there is none."""
        try:
            row = self._connection.execute("SELECT model, fingerprint FROM upgrade_model").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return None
        if row is None:
            return None
        return self._check.text(row[0], "the name of a model"), self._check.text(row[1], "a fingerprint")

    def begin(self, model: str, fingerprint: str) -> None:
        """Record the model of a new upgrade; the vectors of another one are dropped."""
        self.clear()
        self._connection.execute("INSERT INTO upgrade_model VALUES (?, ?)", (model, fingerprint))

    def shards(self) -> dict[int, str]:
        """Return the stems of the shards of vectors, by number."""
        if self.model() is None:
            return {}
        rows = self._connection.execute("SELECT number, stem FROM upgrade_shards ORDER BY number")
        return {
            self._check.whole(number, "the number of a shard", 1): self._check.stem(stem)
            for number, stem in self._check.at_most(_MAX_SHARDS, "shards of an upgrade", rows)
        }

    def add_shard(self, stem: str) -> int:
        """Add a finished shard of vectors. Return its number."""
        cursor = self._connection.execute("INSERT INTO upgrade_shards (stem) VALUES (?)", (stem,))
        keep_files(self._connection, stem)
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def add_items(self, shard: int, items: Sequence[int], *, from_previews: bool) -> None:
        """Record which shard has the vectors of these pictures in the state that their files have now."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO upgrade_items SELECT ?, ?, "  # noqa: S608
            f"coalesce((SELECT {VERSION} FROM main.files AS f WHERE f.item = ?), X''), ?",
            [(item, shard, item, from_previews) for item in items],
        )

    def items(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids of the pictures, ascending, and the number of the shard of each, (n,) int64."""
        rows = self._connection.execute("SELECT item, shard FROM upgrade_items ORDER BY item").fetchall()
        check = self._check
        pairs = [(check.whole(item, "an id", MIN_ID), check.whole(shard, "a shard")) for item, shard in rows]
        array = np.array(pairs, np.int64).reshape(-1, 2)
        return array[:, 0], array[:, 1]

    def items_from_previews(self) -> list[int]:
        """Return the ids of the pictures that were embedded from their previews."""
        query = "SELECT item FROM upgrade_items WHERE from_preview = 1 AND shard <> ?"
        return [item for (item,) in self._connection.execute(query, (NO_VECTOR,))]

    def lost_items(self) -> list[int]:
        """Return the ids of the pictures that the new model cannot embed."""
        query = "SELECT item FROM upgrade_items WHERE shard = ?"
        return [item for (item,) in self._connection.execute(query, (NO_VECTOR,))]

    def forget_shard(self, number: int, stem: str) -> None:
        """Drop a shard whose file is missing or damaged; its pictures are embedded again."""
        self._connection.execute("DELETE FROM upgrade_items WHERE shard = ?", (number,))
        self._connection.execute("DELETE FROM upgrade_shards WHERE number = ?", (number,))
        drop_files(self._connection, [stem])

    def clear(self) -> None:
        """End the upgrade: its files may be removed."""
        drop_files(self._connection, self.shards().values())
        for table in ("upgrade_model", "upgrade_shards", "upgrade_items"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608
