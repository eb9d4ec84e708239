"""Export a collection: the pictures of all partitions, one after another, with the ids of the collection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from snapseek.collection.manifest import LOCAL_BITS
from snapseek.errors import InputError, PartitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapseek.collection.collection_snapshot import CollectionSnapshot
    from snapseek.library.snapshot import Snapshot
    from snapseek.library.storage.shards import RecordBlock


class ExportedPartitions:
    """What `snapseek.library.export` reads of a library, of all partitions of a collection.

    Raises
    ------
    PartitionError
        A partition does not answer: its pictures would be left out.
    InputError
        A partition is on another machine.
    """

    def __init__(self, snapshot: CollectionSnapshot) -> None:
        names = {entry.number: entry.name for entry in snapshot.manifest.partitions}
        for number, error in snapshot.missing.items():
            raise PartitionError(
                f"not all pictures can be exported: {names.get(number, number)}: {error.summary}"
            )
        self.path = snapshot.path
        self.settings = snapshot.settings
        self._partitions: list[tuple[int, Snapshot]] = []
        for number, member in sorted(snapshot.members.items()):
            if member.state is None:
                raise InputError(
                    expected="a collection with all partitions on this machine",
                    got=f"partition {names[number]}, which a server has",
                    hint="export each partition where it is",
                )
            self._partitions.append((number, member.state.snapshot))

    def __len__(self) -> int:
        """The number of pictures."""
        return sum(len(snapshot) for _, snapshot in self._partitions)

    def schemas(self) -> list[pa.Schema]:
        """Return the Arrow schema of each shard's records."""
        return [schema for _, snapshot in self._partitions for schema in snapshot.schemas()]

    def blocks(self) -> Iterator[RecordBlock]:
        """Yield all pictures, some thousands at a time."""
        for number, snapshot in self._partitions:
            for block in snapshot.blocks():
                yield replace(block, records=_with_ids(block.records, number << LOCAL_BITS))


def _with_ids(records: pa.RecordBatch, high: int) -> pa.RecordBatch:
    index = records.schema.get_field_index("id")
    ids = pa.array(records.column(index).to_numpy() | high, pa.int64())
    return records.set_column(index, "id", ids)
