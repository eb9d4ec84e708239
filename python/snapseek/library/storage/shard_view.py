"""A shard as one state of the library sees it: without the pictures that were removed since."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from snapseek.library.storage.shard import Allowed, Shard

Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]


class ShardView:
    """The living rows of a shard. Immutable; safe to use from many threads at once."""

    def __init__(self, shard: Shard, deleted: NDArray[np.int64], *, is_imported: bool) -> None:
        """`dead`, (n,) int64: ids of the pictures that were removed from this shard."""
        self.shard = shard
        self.is_imported = is_imported
        self.alive: Flags | None = None
        """(rows,) flags in scan order; None where every row lives."""
        if len(deleted):
            self.alive = np.ones(len(shard), np.bool_)
            self.alive[shard.rows_of(shard.known(deleted))] = False
        self._count = len(shard) if self.alive is None else int(self.alive.sum())

    def __len__(self) -> int:
        """The number of living rows."""
        return self._count

    @property
    def is_flat(self) -> bool:
        """Whether every row is scored for every query."""
        return self.shard.is_flat

    def living_among(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of `items`, (n,) int64 rising, whose living row is here."""
        here = self.shard.known(items)
        return here if self.alive is None else here[self.alive[self.shard.rows_of(here)]]

    @cached_property
    def allowed(self) -> Allowed:
        """The living rows, as a search of the shard is to be given them."""
        return None if self.alive is None else self.shard.index.filter(self.alive, by_row=True)

    def row_of(self, item: int) -> int | None:
        """The row of the living picture with that id, or None."""
        row = self.shard.row_of(item)
        return None if row is None or (self.alive is not None and not self.alive[row]) else row

    def rows_by_id(self, start: int, end: int) -> list[int]:
        """The living rows whose ids come at these places when all are in rising order."""
        return [int(row) for row in self._by_id[start:end]]

    def in_order_of_id(self) -> NDArray[np.int64]:
        """The living rows in rising order of id, (n,) int64."""
        return self._by_id

    @cached_property
    def _by_id(self) -> NDArray[np.int64]:
        order = self.shard.order
        return order if self.alive is None else order[self.alive[order]]

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of living pictures by their numbers, (n,) int64, in scan order."""
        return numbers if self.alive is None else np.flatnonzero(self.alive)[numbers]
