"""Errors for pictures that a collection does not have, or whose partition does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapseek.collection.manifest import id_of, ref_of
from snapseek.errors import ItemNotFoundError, PartitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from snapseek.collection.manifest import Manifest
    from snapseek.errors import SnapseekError
    from snapseek.library.storage.rows import RowRef


def no_picture(item: int, missing: Mapping[int, SnapseekError]) -> ItemNotFoundError:
    """Return the error for an id without a picture, which says if the partition of that id is missing."""
    lost = missing.get(ref_of(item).shard)
    hint = None if lost is None else f"its partition does not answer: {lost.summary}"
    return ItemNotFoundError(expected="the id of a picture of this collection", got=str(item), hint=hint)


def no_answer_for(
    ref: RowRef, lost: Mapping[int, SnapseekError], manifest: Manifest
) -> PartitionError | None:
    """Return the error for a picture of a partition that does not answer; None if it is in no such one."""
    if ref.shard not in lost:
        return None
    names = {entry.number: entry.name for entry in manifest.partitions}
    return PartitionError(
        f"picture {id_of(ref)} is in partition {names[ref.shard]}, which does not answer: "
        f"{lost[ref.shard].summary}",
        hint="try again when the partition is back",
    )
