"""The pictures that a ranking may hold, and the entries of one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snapseek.library.storage.rows import RowHits, RowRef
from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shards import Shards
from snapseek.library.storage.shared_training import SharedTraining
from snapseek.search_request import SearchRequest


class Entry(NamedTuple):
    """A rank of a ranking: a picture, its score if it has one, and its near-duplicates of lower rank."""

    row: RowRef
    score: float | None = None
    similar: tuple[RowRef, ...] = ()
    similar_scores: tuple[float | None, ...] = ()
    why: tuple[str, ...] = ()
    """With mode `auto`, what has a word of the query, such as `folder name`."""
    has_every_word: bool = False
    """With mode `auto`, whether these have all words of the query."""


@dataclass(frozen=True)
class Ranking:
    """The entries that the request needs, and the number of all."""

    entries: Sequence[Entry]
    total: int
    start: int = 0
    """The rank of the first of these entries."""

    def page(self, request: SearchRequest) -> Sequence[Entry]:
        """Return the entries of the page of a request."""
        return self.entries[request.offset - self.start : request.end - self.start]


class Candidates:
    """The pictures that a ranking may hold: those of a selection, without the excluded ones."""

    def __init__(
        self,
        shards: Shards,
        selection: Selection,
        excluded: Collection[RowRef],
        *,
        exact: bool,
        training: SharedTraining | None = None,
    ) -> None:
        self.selection = selection
        self.excluded = excluded
        self._shards = shards
        self._exact = exact
        self._training = training

    @property
    def total(self) -> int:
        """The number of candidates."""
        return self.selection.count - sum(self.selection.has(row.shard, row.row) for row in self.excluded)

    def search(self, vector: NDArray[np.float32], count: int) -> RowHits:
        """Return the `count` best for a unit vector, (dim,), best first, ties by lower id."""
        found = self._shards.search(
            vector[None],
            count + len(self.excluded),
            exact=self._exact,
            selection=self.selection,
            training=self._training,
        )
        if self.excluded:
            found = found[np.array([row not in self.excluded for row in found.refs()], np.bool_)]
        return found[:count]

    def best(self, vector: NDArray[np.float32], count: int) -> list[Entry]:
        """Return the same as entries."""
        found = self.search(vector, count)
        return list(map(Entry, found.refs(), found.scores.tolist()))
