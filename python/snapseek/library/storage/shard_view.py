"""A shard as one commit sees it: without its deleted rows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from snapseek.vectors.index import Allow, Filter

if TYPE_CHECKING:
    from snapseek.library.storage.shards import Shard

Allowed = Allow | Filter | None
"""The rows that a search may find; None for all."""

Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]


class ShardView:
    """The living rows of a shard: those without a tombstone. Immutable; safe to use from many threads."""

    def __init__(self, shard: Shard, deleted: NDArray[np.int64], *, is_imported: bool) -> None:
        """`deleted`, (n,) int64, are the ids of the shard's tombstones."""
        self.shard = shard
        self.is_imported = is_imported
        self.alive: Flags | None = None
        """(rows,) bool in scan order; None if every row lives."""
        if len(deleted):
            self.alive = np.ones(len(shard), np.bool_)
            self.alive[shard.rows_of(shard.known(deleted))] = False
        self._count = len(shard) if self.alive is None else int(self.alive.sum())

    def __len__(self) -> int:
        """Return the number of living rows."""
        return self._count

    @property
    def is_flat(self) -> bool:
        """Return whether every query scores every row."""
        return self.shard.is_flat

    def living_ids(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of `items`, (n,) int64 ascending, that have a living row in this shard."""
        ids = self.shard.known(items)
        return ids if self.alive is None else ids[self.alive[self.shard.rows_of(ids)]]

    @cached_property
    def allowed(self) -> Allowed:
        """The filter of living rows for a search of the shard."""
        return None if self.alive is None else self.shard.index.filter(self.alive, by_row=True)

    def row_of(self, item: int) -> int | None:
        """Return the living row of an id, or None."""
        row = self.shard.row_of(item)
        return None if row is None or (self.alive is not None and not self.alive[row]) else row

    def rows_by_id(self, start: int, end: int) -> list[int]:
        """Return the living rows from position `start` to `end` in ascending order of id."""
        return [int(row) for row in self.by_id[start:end]]

    @cached_property
    def by_id(self) -> NDArray[np.int64]:
        """(n,) int64: the living rows in ascending order of id."""
        order = self.shard.order
        return order if self.alive is None else order[self.alive[order]]

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return rows, (n,) int64, by their position among the living rows in scan order."""
        return positions if self.alive is None else np.flatnonzero(self.alive)[positions]
