"""The shards of a library as if they were one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.library.records.arrow_file import Core, Record
from snapseek.library.storage.database import ShardRow
from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shard import Shard
from snapseek.library.storage.shard_files import check_inside
from snapseek.library.storage.shard_view import ShardView

_NONE = np.zeros(0, np.int64)
BLOCK_ROWS = 8192


class RowRef(NamedTuple):
    """Where a picture is: the number of its shard, and its row there."""

    shard: int
    row: int


@dataclass(frozen=True)
class RowHits:
    """The places of pictures as arrays (n,), for what is done with all of a ranking, and their scores."""

    shards: NDArray[np.int64]
    rows: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: slice | NDArray[np.bool_]) -> "RowHits":
        return RowHits(self.shards[chosen], self.rows[chosen], self.scores[chosen])

    def places(self) -> list[RowRef]:
        """All of them, one by one."""
        return list(map(RowRef, self.shards.tolist(), self.rows.tolist()))


NOTHING = RowHits(_NONE, _NONE, np.zeros(0, np.float32))


@dataclass(frozen=True)
class RecordBlock:
    """Some pictures of one shard: their records, and their rows there, (n,) int64."""

    records: pa.RecordBatch
    shard: Shard
    rows: NDArray[np.int64]

    def vectors(self) -> NDArray[np.float32]:
        """(n, dim) float32 stored vectors of them."""
        return self.shard.index.vectors(self.rows)


class Shards:
    """Every shard of one state of a library, open. Safe to use from many threads at once."""

    def __init__(
        self,
        library: Path,
        rows: Sequence[ShardRow],
        deleted: Mapping[str, NDArray[np.int64]],
        before: "Shards | None" = None,
    ) -> None:
        """Open those shards without the pictures whose ids are in `dead`, (n,) int64 by the shard's stem.

        What `before` has open is taken from it. Raises FormatError when a file is missing or damaged.
        """
        check_inside(library)
        is_open = {part.shard.stem: part.shard for part in before.parts} if before else {}
        self.parts: list[ShardView] = [
            ShardView(
                is_open.get(row.stem) or Shard(library, row.stem),
                deleted.get(row.stem, _NONE),
                is_imported=row.source is not None,
            )
            for row in rows
        ]
        self._ends = np.cumsum([0, *map(len, self.parts)])[1:]
        self.size_bytes = sum(part.shard.size_bytes for part in self.parts)
        self.kernel = self.parts[0].shard.index.info().kernel if self.parts else "none"
        self.has_imported = any(part.is_imported for part in self.parts)

    def __len__(self) -> int:
        """The number of pictures."""
        return int(self._ends[-1]) if self.parts else 0

    def search(
        self, vector: NDArray[np.float32], k: int, *, exact: bool = False, matching: Selection
    ) -> RowHits:
        """The best `k` that match for the unit vector (1, dim), best first, ties by lower id."""
        found = [
            part.shard.search(vector, k, allow=matching.allowed(number), exact=exact)
            for number, part in enumerate(self.parts)
        ]
        if not found:
            return NOTHING
        ids = np.concatenate([ids for ids, _ in found])
        scores = np.concatenate([scores for _, scores in found])
        numbers = np.repeat(np.arange(len(found)), [len(ids) for ids, _ in found])
        if len(found) > 1:
            best = np.lexsort((ids, -scores))[:k]
            ids, scores, numbers = ids[best], scores[best], numbers[best]
        return RowHits(numbers, self._rows(numbers, ids), scores)

    def _rows(self, numbers: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
        rows = np.empty(len(ids), np.int64)
        for number in np.unique(numbers):
            here = numbers == number
            rows[here] = self.parts[number].shard.rows_of(ids[here])
        return rows

    def vectors(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, dim) float32 of pictures by their numbers, rising: shards follow one another in row order."""
        bounds = np.searchsorted(numbers, [0, *self._ends])
        starts = [0, *self._ends[:-1]]
        return np.concatenate(
            [
                part.shard.index.vectors(part.rows(numbers[low:high] - start))
                for part, start, low, high in zip(self.parts, starts, bounds, bounds[1:], strict=False)
            ]
        )

    def vectors_at(self, numbers: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows of the pictures there: (n,) the numbers of their shards, their rows."""
        if not len(rows):
            return np.zeros((0, 1), np.float32)
        here = [np.flatnonzero(numbers == number) for number in range(len(self.parts))]
        parts = [
            part.shard.index.vectors(rows[places])
            for part, places in zip(self.parts, here, strict=True)
            if len(places)
        ]
        vectors = parts[0] if len(parts) == 1 else np.concatenate(parts)[np.argsort(np.concatenate(here))]
        vectors /= np.maximum(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), 1e-12)[:, None]
        return vectors

    def scores(self, places: Sequence[RowRef], vector: NDArray[np.float32]) -> list[float]:
        """The scores of the pictures there for the unit vector (dim,)."""
        found: dict[RowRef, float] = {}
        for number in {place.shard for place in places}:
            shard = self.parts[number].shard
            rows = np.array([place.row for place in places if place.shard == number])
            ids, scores = shard.search(vector[None], len(rows), allow=shard.ids_of(rows), exact=True)
            pairs = zip(shard.rows_of(ids).tolist(), scores.tolist(), strict=True)
            found |= {RowRef(number, row): score for row, score in pairs}
        return [found[place] for place in places]

    def vector(self, place: RowRef) -> NDArray[np.float32]:
        """(dim,) float32 of the picture there."""
        return np.asarray(self.parts[place.shard].shard.index.vectors([place.row])[0])

    def place_of(self, item: int) -> RowRef | None:
        """The place of the picture with that id, or None."""
        for number, part in enumerate(self.parts):
            row = part.row_of(item)
            if row is not None:
                return RowRef(number, row)
        return None

    def shards_of(self, items: Iterable[int]) -> dict[str, NDArray[np.int64]]:
        """The stems of the shards that hold the living rows of these ids, with the ids that each holds."""
        wanted = np.unique(np.fromiter(items, np.int64))
        found = {part.shard.stem: part.living_among(wanted) for part in self.parts}
        return {stem: here for stem, here in found.items() if len(here)}

    def records(self, places: Sequence[RowRef]) -> list[tuple[Core, Record]]:
        """For each place what all pictures have, and what its source added."""
        found: dict[int, tuple[Core, Record]] = {}
        for number in {place.shard for place in places}:
            here = [at for at, place in enumerate(places) if place.shard == number]
            rows = [places[at].row for at in here]
            found |= zip(here, self.parts[number].shard.records.get(rows), strict=True)
        return [found[at] for at in range(len(places))]

    def blocks(self) -> Iterator["RecordBlock"]:
        """All pictures, some thousands at a time: shard after shard, each in order of id."""
        for part in self.parts:
            order = part.in_order_of_id()
            start = 0
            for batch in part.shard.records.in_order(order):
                for low in range(0, batch.num_rows, BLOCK_ROWS):
                    records = batch.slice(low, BLOCK_ROWS)
                    rows = order[start : start + records.num_rows]
                    start += records.num_rows
                    yield RecordBlock(records, part.shard, rows)

    def is_imported(self, place: RowRef) -> bool:
        """Whether that picture came as a vector, not as a file."""
        return self.parts[place.shard].is_imported
