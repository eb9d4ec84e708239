"""What a query reads of the pictures that it has found: their records, and their stored vectors."""

from collections.abc import Collection, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from snapseek.collection.answers import early_records_of, records_of, vectors_of
from snapseek.collection.frames import Frame
from snapseek.collection.query import PartitionQuery
from snapseek.collection.record_block import RecordBlock, Recorded
from snapseek.errors import PartitionError
from snapseek.library.storage.rows import RowRef

Ids = NDArray[np.int64]


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


def records(
    query: PartitionQuery, refs: Collection[RowRef], include: Sequence[str], key: str = ""
) -> dict[RowRef, Recorded]:
    """Return the records of those pictures that partitions know."""
    known = {} if key else _early(query, refs)
    wanted = by_partition([ref for ref in refs if ref not in known])
    if not wanted:
        return known
    common = Frame({"op": "records", "include": list(include)})
    frames = {number: common.with_array("ids", ids) for number, ids in wanted.items()}
    answers = query.ask(
        ("records", key, frozenset(ref for ref in refs if ref not in known)),
        frames,
        lambda frame, member: records_of(frame, wanted[member.entry.number]),
    )
    return known | {
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
