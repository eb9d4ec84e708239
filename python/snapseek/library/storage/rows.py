"""The addresses of pictures in the shards of a library."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_NO_IDS = np.zeros(0, np.int64)
_ROW_BITS = 40


class RowRef(NamedTuple):
    """The address of a picture: the number of its shard, and its row there."""

    shard: int
    row: int


@dataclass(frozen=True)
class RowHits:
    """The addresses of pictures and their scores, as arrays (n,)."""

    shards: NDArray[np.int64]
    rows: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | NDArray[np.bool_] | NDArray[np.int64]) -> "RowHits":
        return RowHits(self.shards[index], self.rows[index], self.scores[index])

    def __iter__(self) -> Iterator[RowRef]:
        return map(RowRef, self.shards.tolist(), self.rows.tolist())

    def refs(self) -> list[RowRef]:
        """Return the addresses as a list."""
        return list(self)

    def keys(self) -> NDArray[np.int64]:
        """Return a number for each address, (n,) int64, in the order of shards and rows."""
        return self.shards << _ROW_BITS | self.rows


NO_HITS = RowHits(_NO_IDS, _NO_IDS, np.zeros(0, np.float32))
