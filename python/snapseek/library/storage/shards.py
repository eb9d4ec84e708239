"""The open shards of a library, searched and read as one.

A shard is a file of vectors and a file of records, with the same pictures row by row.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import FormatError
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.records.arrow_file import Records
from snapseek.library.records.arrow_gather import Core, Record
from snapseek.library.storage.owned_files import check_no_link_out
from snapseek.library.storage.rows import NO_HITS, RowHits, RowRef
from snapseek.library.storage.schema import SHARDS
from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shard_files import check_inside
from snapseek.library.storage.shard_table import ShardRow
from snapseek.library.storage.shard_view import Allowed, ShardView
from snapseek.library.storage.shared_training import FIRST_PAGE, KINDS, SharedTraining
from snapseek.mapped_file import LoadMode
from snapseek.vectors.index import CalibrationPoint, VectorIndex

DEEPEST_PAGE = 1000
"""The minimum number of reranked candidates for any k, so that consecutive pages fit together."""

_WIDE_SHARE = 3

BLOCK_ROWS = 8192
"""Bounds the records that `Shards.blocks` yields at once."""

_NO_IDS = np.zeros(0, np.int64)


def _with_shortlist(params: CalibrationPoint | None, rows: int) -> CalibrationPoint | None:
    """Return search parameters that rerank at least `rows` candidates."""
    return params and replace(params, shortlist=max(params.shortlist, rows))


def is_gapless(ids: NDArray[np.int64]) -> bool:
    """Return whether distinct ids, (n,), are consecutive numbers in any order."""
    return len(ids) > 0 and int(ids.max()) - int(ids.min()) == len(ids) - 1


def order_of(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows in order of their distinct ids. Consecutive ids, as after an import, need no sort."""
    if not is_gapless(ids):
        return np.argsort(ids, kind="stable")
    order = np.zeros(len(ids), np.int64)
    order[ids - ids.min()] = np.arange(len(ids))
    return order


class Shard:
    """An open shard. Searched by vector, read by row. Immutable; safe to use from many threads."""

    def __init__(self, library: Path, stem: str, load: LoadMode = "map") -> None:
        """Open both files. Raises FormatError if one is missing or damaged, or they do not match."""
        paths = [library / SHARDS / f"{stem}{suffix}" for suffix in (".snap", ".arrow")]
        for path in paths:
            check_no_link_out(path, library)
            if not path.is_file():
                raise FormatError(
                    f"{path} is missing",
                    hint="if library.db was copied without library.db-wal, copy both; "
                    "otherwise run: snapseek repair",
                )
        self.size_bytes = sum(path.stat().st_size for path in paths)
        self.vector_path = paths[0]
        self.index = _opened(paths[0], load)
        self.records = Records(paths[1], load)
        ids = self.index.ids()
        self._check_match(paths[0].name, paths[1].name, ids)
        self.is_flat = self.index.search_params() is None
        """Whether every query scores every row."""
        self._params = {like: self.index.search_params(k=FIRST_PAGE, like=like) for like in KINDS}
        self.stem = stem
        self.columns = ColumnStore(self.records, paths[1], load)
        """The column indexes that filters read."""
        self.order = order_of(ids)
        """(rows,) int64: the rows in ascending order of id."""
        self._sorted_ids = ids[self.order]

    def _check_match(self, vectors: str, records: str, ids: NDArray[np.int64]) -> None:
        """Raise FormatError unless both files have the same rows."""
        rows = len(self.records)
        if len(ids) != rows:
            problem = f"{vectors} has {len(ids)} rows, {records} has {rows}"
        elif not np.array_equal(self.records.ids(), ids):
            problem = f"the ids in {vectors} differ from those in {records}"
        else:
            return
        raise FormatError(f"{problem}: they belong to different shards", hint="run: snapseek repair")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.order)

    def check_length(self) -> None:
        """Raise FormatError if another program has truncated a mapped file; call it before each query.

        The index of the vectors checks its own file.
        """
        self.records.check_length()
        self.columns.files.check_length()

    def warm(self) -> None:
        """Read both files into the page cache."""
        self.check_length()
        self.index.warm()
        self.records.warm()

    def search(
        self,
        vector: NDArray[np.float32],
        k: int,
        *,
        allow: Allowed = None,
        exact: bool = False,
        training: SharedTraining | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return ids and scores of the best `k` rows for the unit vector (1, dim), ties by lower id.

        `allow` is a filter that `index.filter` returned. With `training` the result is merged with those of
        other partitions: an index that has it searches as its part of one index of all.
        """
        is_shared = training is not None and training.checksum == self.training
        params = training.points if training is not None and is_shared else self._params
        # The core doubles a shortlist if there is a filter.
        shortlist = DEEPEST_PAGE if allow is None else DEEPEST_PAGE // 2
        point = params[self.index.query_kind(vector[0])]
        effort = _with_shortlist(point, shortlist)
        if training is not None and is_shared and point is not None and allow is None:
            effort = training.part_of(point, len(self) / max(1, training.rows), self.nlist, k, shortlist)
        ids, scores = self.index.search(vector, k, allow=allow, exact=exact, effort=effort)
        return ids[0], scores[0]

    @cached_property
    def nlist(self) -> int:
        """The number of lists of the index, at least 1."""
        return max(1, self.index.info().nlist)

    def search_widely(
        self, vector: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the same as `search`, from a third of all lists at least: for many results, nearly exact."""
        params = self.index.search_params()
        if params is not None:
            probes = max(params.nprobe, self.index.info().nlist // _WIDE_SHARE)
            params = replace(params, nprobe=probes, shortlist=2 * k)
        ids, scores = self.index.search(vector, k, effort=params)
        return ids[0], scores[0]

    @cached_property
    def training(self) -> str | None:
        """The checksum of what the index was trained to; None for a flat one."""
        return self.index.training

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """(rows,) int64: the id of each row."""
        return self.index.ids()

    def ids_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids of rows, (n,) int64."""
        return self.ids[rows]

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each id, (n,) int64. All ids must be in this shard."""
        known = self._sorted_ids
        return self.order[ids - known[0] if self._is_gapless else known.searchsorted(ids)]

    @cached_property
    def _is_gapless(self) -> bool:
        """Whether ids are consecutive, as after an import: then a subtraction finds a row."""
        return is_gapless(self._sorted_ids)

    def known(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of `items`, (n,) int64, that are in this shard."""
        positions = np.minimum(np.searchsorted(self._sorted_ids, items), max(0, len(self._sorted_ids) - 1))
        return items[self._sorted_ids[positions] == items] if len(self._sorted_ids) else items[:0]

    def row_of(self, item: int) -> int | None:
        """Return the row of an id, or None."""
        position = int(np.searchsorted(self._sorted_ids, item))
        if position == len(self._sorted_ids) or self._sorted_ids[position] != item:
            return None
        return int(self.order[position])


def _opened(path: Path, load: LoadMode) -> VectorIndex:
    try:
        return VectorIndex.open(path, load=load)
    except FormatError as error:
        is_newer = "newer" in str(error)
        raise FormatError(str(error) if is_newer else f"{error}; run: snapseek repair") from error


@dataclass(frozen=True)
class RecordBlock:
    """Pictures of one shard: their records, and their rows there, (n,) int64; whether they were imported."""

    records: pa.RecordBatch
    shard: Shard
    rows: NDArray[np.int64]
    is_imported: bool = False

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
    load
        Whether files are mapped or loaded.

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
        load: LoadMode = "map",
    ) -> None:
        check_inside(library)
        is_open = {part.shard.stem: part.shard for part in before.parts} if before else {}
        self.parts: list[ShardView] = [
            ShardView(
                is_open.get(row.stem) or Shard(library, row.stem, load),
                deleted.get(row.stem, _NO_IDS),
                is_imported=row.source is not None,
            )
            for row in rows
        ]
        self._ends = np.cumsum([0, *map(len, self.parts)])[1:]
        self.size_bytes = sum(part.shard.size_bytes for part in self.parts)
        self.kernel = self.parts[0].shard.index.info().kernel if self.parts else "none"

    def check_length(self) -> None:
        """Raise FormatError if another program has truncated a mapped file; call it before each query."""
        for part in self.parts:
            part.shard.check_length()

    def __len__(self) -> int:
        """Return the number of pictures."""
        return int(self._ends[-1]) if self.parts else 0

    def search(
        self,
        vector: NDArray[np.float32],
        k: int,
        *,
        exact: bool = False,
        selection: Selection,
        training: SharedTraining | None = None,
    ) -> RowHits:
        """Return the best `k` selected rows for the unit vector (1, dim), best first, ties by lower id.

        `training`: see `Shard.search`.
        """
        found = [
            part.shard.search(vector, k, allow=selection.allowed[number], exact=exact, training=training)
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
        if len(self.parts) == 1:
            return self.parts[0].shard.rows_of(ids)
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

    def scores(self, refs: RowHits, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the exact scores, (n,), of pictures for the unit vector (dim,)."""
        scores = np.zeros(len(refs), np.float32)
        for number, part in enumerate(self.parts):
            shard, here = part.shard, np.flatnonzero(refs.shards == number)
            if not len(here):
                continue
            wanted = shard.ids_of(refs.rows[here])
            ids, found = shard.search(vector[None], len(wanted), allow=wanted, exact=True)
            order = np.argsort(ids)
            scores[here] = found[order[ids[order].searchsorted(wanted)]]
        return scores

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
            found |= zip(indices, self.parts[number].shard.records.gather.get(rows), strict=True)
        return [found[index] for index in range(len(refs))]

    def blocks(self) -> Iterator["RecordBlock"]:
        """Yield all pictures, at most `BLOCK_ROWS` at a time: shard after shard, each in order of id."""
        for part in self.parts:
            order = part.by_id
            start = 0
            self.check_length()
            for batch in part.shard.records.in_order(order):
                for low in range(0, batch.num_rows, BLOCK_ROWS):
                    records = batch.slice(low, BLOCK_ROWS)
                    rows = order[start : start + records.num_rows]
                    start += records.num_rows
                    yield RecordBlock(records, part.shard, rows, part.is_imported)
                self.check_length()  # before the next batch is read

    def ref_blocks(self) -> Iterator[list[RowRef]]:
        """Yield the addresses of all pictures in the order of `blocks`, at most `BLOCK_ROWS` at a time."""
        for number, part in enumerate(self.parts):
            for low in range(0, len(part.by_id), BLOCK_ROWS):
                yield [RowRef(number, row) for row in part.by_id[low : low + BLOCK_ROWS].tolist()]

    def id_at(self, ref: RowRef) -> int:
        """Return the id of a picture."""
        return int(self.parts[ref.shard].shard.ids[ref.row])

    def is_imported(self, ref: RowRef) -> bool:
        """Return whether a picture was imported as a vector, not indexed from a file."""
        return self.parts[ref.shard].is_imported
