"""What a query reads of the pictures that it has found: their records, and their stored vectors.

A `RowRef` is the number of a partition, and the id of a picture there.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from snapseek.collection.answers import early_records_of, records_of, vectors_of
from snapseek.collection.frames import Frame
from snapseek.collection.manifest import id_of, ref_of
from snapseek.collection.query import PartitionQuery
from snapseek.collection.record_block import RecordBlock, Recorded
from snapseek.errors import PartitionError
from snapseek.library.results import Hit
from snapseek.library.search.candidates import Entry
from snapseek.library.search.likeness import Look, facts_of
from snapseek.library.storage.rows import RowRef

Ids = NDArray[np.int64]

_MAX_RECORDS = 4096
"""Records of one exchange."""


def stored_vectors(
    query: PartitionQuery, refs: Collection[RowRef], dim: int
) -> dict[RowRef, NDArray[np.float32]]:
    """Return the stored vectors of those pictures that partitions know."""
    wanted = by_partition(refs)
    common = Frame({"op": "vectors"})
    frames = {number: common.with_array("ids", ids) for number, ids in wanted.items()}
    answers = query.ask(
        ("vectors", frozenset(refs)),
        frames,
        lambda frame, member: vectors_of(frame, wanted[member.entry.number], dim),
    )
    return {RowRef(number, item): row for number, found in answers.items() for item, row in found.items()}


def unit_vectors(query: PartitionQuery, refs: Sequence[RowRef], dim: int) -> NDArray[np.float32]:
    """Return unit vectors, (n, dim) float32. Raises PartitionLostError if a partition has lost a picture."""
    if not refs:
        return np.zeros((0, dim), np.float32)
    found = stored_vectors(query, refs, dim)
    query.check_complete(refs, found)
    vectors = np.stack([found[ref] for ref in refs])
    vectors /= np.maximum(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), 1e-12)[:, None]
    return vectors


def records(
    query: PartitionQuery, refs: Collection[RowRef], include: Sequence[str], key: str = ""
) -> dict[RowRef, Recorded]:
    """Return the records of those pictures that partitions know."""
    known = {} if key else _early(query, refs)
    missing = [ref for ref in refs if ref not in known]
    for start in range(0, len(missing), _MAX_RECORDS):
        known |= _records(query, missing[start : start + _MAX_RECORDS], include, key)
    return known


def _records(
    query: PartitionQuery, refs: Sequence[RowRef], include: Sequence[str], key: str
) -> dict[RowRef, Recorded]:
    wanted = by_partition(refs)
    common = Frame({"op": "records", "include": list(include)})
    frames = {number: common.with_array("ids", ids) for number, ids in wanted.items()}
    answers = query.ask(
        ("records", key, frozenset(refs)),
        frames,
        lambda frame, member: records_of(frame, wanted[member.entry.number]),
    )
    return {
        RowRef(number, item): record for number, found in answers.items() for item, record in found.items()
    }


def _early(query: PartitionQuery, refs: Collection[RowRef]) -> dict[RowRef, Recorded]:
    """Return the records that came with the ranking; what cannot be read is left out."""
    found = {}
    blocks: dict[int, RecordBlock] = {}
    for number in {ref.shard for ref in refs} & set(query.early):
        with suppress(PartitionError):
            blocks[number] = early_records_of(query.early[number])
    for ref in refs:
        block = blocks.get(ref.shard)
        if block is not None and ref.row in block:
            with suppress(PartitionError):
                found[ref] = block[ref.row]
    return found


def by_partition(refs: Collection[RowRef]) -> dict[int, Ids]:
    """Return the ids of pictures in their partitions, by the number of the partition."""
    found: dict[int, list[int]] = {}
    for number, item in refs:
        found.setdefault(number, []).append(item)
    return {number: np.array(ids, np.int64) for number, ids in found.items()}


def hit_of(entry: Entry, record: Recorded, include: Sequence[str]) -> Hit:
    """Return an entry with its record; optional fields that are not included are empty."""
    return Hit(
        id=id_of(entry.row),
        score=entry.score,
        uri=record.uri,
        width=record.width,
        height=record.height,
        color=record.color,
        preview=record.preview if "preview" in include else b"",
        caption=record.caption if "caption" in include else None,
        meta=record.meta if "meta" in include else {},
        similar=tuple(map(id_of, entry.similar)),
        similar_scores=entry.similar_scores,
        may_load=record.may_load,
        why=entry.why,
    )


def look_of(record: Recorded) -> Look:
    """Return what a picture is compared with others by."""
    return Look(facts_of(record.width, record.height, record.preview, record.meta))


class MergedRows:
    """What a ranking reads of pictures: their vectors, and scores that came with them."""

    def __init__(self, query: PartitionQuery, scores: Mapping[RowRef, float], dim: int) -> None:
        self._query = query
        self._scores = scores
        self._dim = dim

    def scores(self, refs: Iterable[RowRef], _vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores of pictures that were found by their words."""
        return np.array([self._scores[ref] for ref in refs], np.float32)

    def vectors_at(self, numbers: Ids, rows: Ids) -> NDArray[np.float32]:
        """Return unit vectors, (n, dim) float32; see `Shards.vectors_at`."""
        return unit_vectors(self._query, list(map(RowRef, numbers.tolist(), rows.tolist())), self._dim)


class StoredVectors:
    """The vectors of the pictures that a query names by their ids; `not_found` makes the error of an id."""

    def __init__(self, query: PartitionQuery, dim: int, not_found: Callable[[int], Exception]) -> None:
        self._query = query
        self._dim = dim
        self._not_found = not_found

    def vector(self, item: int) -> NDArray[np.float32]:
        """Return (dim,) float32, unit length. Raises ItemNotFoundError."""
        ref = ref_of(item)
        found = stored_vectors(self._query, [ref], self._dim) if ref.shard in self._query.members else {}
        if ref not in found:
            raise self._not_found(item)
        return np.asarray(found[ref] / np.linalg.norm(found[ref]), np.float32)
