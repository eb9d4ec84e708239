"""All shards of a library, searched and read as one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.library.records.arrow_file import Core, Record
from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shard import Shard
from snapseek.library.storage.shard_files import check_inside
from snapseek.library.storage.shard_table import ShardRow
from snapseek.library.storage.shard_view import ShardView

BLOCK_ROWS = 8192
"""Bounds the records that `Shards.blocks` yields at once."""

_NO_IDS = np.zeros(0, np.int64)


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

    def __getitem__(self, index: slice | NDArray[np.bool_]) -> "RowHits":
        return RowHits(self.shards[index], self.rows[index], self.scores[index])

    def refs(self) -> list[RowRef]:
        """Return the addresses as a list."""
        return list(map(RowRef, self.shards.tolist(), self.rows.tolist()))


NO_HITS = RowHits(_NO_IDS, _NO_IDS, np.zeros(0, np.float32))


@dataclass(frozen=True)
class RecordBlock:
    """Pictures of one shard: their records, and their rows there, (n,) int64."""

    records: pa.RecordBatch
    shard: Shard
    rows: NDArray[np.int64]

    def vectors(self) -> NDArray[np.float32]:
        """Return their stored vectors, (n, dim) float32."""
        return self.shard.index.vectors(self.rows)


class Shards:
    """The open shards of one commit of a library. Immutable; safe to use from many threads.

    Parameters
    ----------
    library
        The directory of the library.
    rows
        The shards to open.
    deleted
        Ids of deleted rows, (n,) int64 by the stem of their shard.
    before
        Shards of an earlier commit; those that are still there are shared with it.

    Raises
    ------
    FormatError
        If a file is missing or damaged.
    """

    def __init__(
        self,
        library: Path,
        rows: Sequence[ShardRow],
        deleted: Mapping[str, NDArray[np.int64]],
        before: "Shards | None" = None,
    ) -> None:
        check_inside(library)
        is_open = {part.shard.stem: part.shard for part in before.parts} if before else {}
        self.parts: list[ShardView] = [
            ShardView(
                is_open.get(row.stem) or Shard(library, row.stem),
                deleted.get(row.stem, _NO_IDS),
                is_imported=row.source is not None,
            )
            for row in rows
        ]
        self._ends = np.cumsum([0, *map(len, self.parts)])[1:]
        self.size_bytes = sum(part.shard.size_bytes for part in self.parts)
        self.kernel = self.parts[0].shard.index.info().kernel if self.parts else "none"

    def __len__(self) -> int:
        """Return the number of pictures."""
        return int(self._ends[-1]) if self.parts else 0

    def search(
        self, vector: NDArray[np.float32], k: int, *, exact: bool = False, selection: Selection
    ) -> RowHits:
        """Return the best `k` selected rows for the unit vector (1, dim), best first, ties by lower id."""
        found = [
            part.shard.search(vector, k, allow=selection.allowed(number), exact=exact)
            for number, part in enumerate(self.parts)
        ]
        if not found:
            return NO_HITS
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
            in_shard = numbers == number
            rows[in_shard] = self.parts[number].shard.rows_of(ids[in_shard])
        return rows

    def vectors(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return stored vectors, (n, dim) float32, by ascending position among all living rows."""
        bounds = np.searchsorted(positions, [0, *self._ends])
        starts = [0, *self._ends[:-1]]
        return np.concatenate(
            [
                part.shard.index.vectors(part.rows(positions[low:high] - start))
                for part, start, low, high in zip(self.parts, starts, bounds, bounds[1:], strict=False)
            ]
        )

    def vectors_at(self, numbers: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return unit vectors, (n, dim) float32, by the numbers of their shards and their rows, (n,) each."""
        if not len(rows):
            return np.zeros((0, 1), np.float32)
        by_shard = [np.flatnonzero(numbers == number) for number in range(len(self.parts))]
        parts = [
            part.shard.index.vectors(rows[indices])
            for part, indices in zip(self.parts, by_shard, strict=True)
            if len(indices)
        ]
        vectors = parts[0] if len(parts) == 1 else np.concatenate(parts)[np.argsort(np.concatenate(by_shard))]
        vectors /= np.maximum(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), 1e-12)[:, None]
        return vectors

    def scores(self, refs: Sequence[RowRef], vector: NDArray[np.float32]) -> list[float]:
        """Return the exact scores of pictures for the unit vector (dim,)."""
        found: dict[RowRef, float] = {}
        for number in {ref.shard for ref in refs}:
            shard = self.parts[number].shard
            rows = np.array([ref.row for ref in refs if ref.shard == number])
            ids, scores = shard.search(vector[None], len(rows), allow=shard.ids_of(rows), exact=True)
            pairs = zip(shard.rows_of(ids).tolist(), scores.tolist(), strict=True)
            found |= {RowRef(number, row): score for row, score in pairs}
        return [found[ref] for ref in refs]

    def vector(self, ref: RowRef) -> NDArray[np.float32]:
        """Return the stored vector of a picture, (dim,) float32."""
        return np.asarray(self.parts[ref.shard].shard.index.vectors([ref.row])[0])

    def find(self, item: int) -> RowRef | None:
        """Return the address of the picture with that id, or None."""
        for number, part in enumerate(self.parts):
            row = part.row_of(item)
            if row is not None:
                return RowRef(number, row)
        return None

    def shards_of(self, items: Iterable[int]) -> dict[str, NDArray[np.int64]]:
        """Return the stems of the shards that hold living rows of these ids, with the ids that each holds."""
        wanted = np.unique(np.fromiter(items, np.int64))
        found = {part.shard.stem: part.living_ids(wanted) for part in self.parts}
        return {stem: ids for stem, ids in found.items() if len(ids)}

    def records(self, refs: Sequence[RowRef]) -> list[tuple[Core, Record]]:
        """Return for each picture the columns that all have, and those that its source added."""
        found: dict[int, tuple[Core, Record]] = {}
        for number in {ref.shard for ref in refs}:
            indices = [index for index, ref in enumerate(refs) if ref.shard == number]
            rows = [refs[index].row for index in indices]
            found |= zip(indices, self.parts[number].shard.records.get(rows), strict=True)
        return [found[index] for index in range(len(refs))]

    def blocks(self) -> Iterator["RecordBlock"]:
        """Yield all pictures, at most `BLOCK_ROWS` at a time: shard after shard, each in order of id."""
        for part in self.parts:
            order = part.by_id
            start = 0
            for batch in part.shard.records.in_order(order):
                for low in range(0, batch.num_rows, BLOCK_ROWS):
                    records = batch.slice(low, BLOCK_ROWS)
                    rows = order[start : start + records.num_rows]
                    start += records.num_rows
                    yield RecordBlock(records, part.shard, rows)

    def is_imported(self, ref: RowRef) -> bool:
        """Return whether a picture was imported as a vector, not indexed from a file."""
        return self.parts[ref.shard].is_imported
