"""Groups of near-duplicates of one state of a library, the best picture of each first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from snapseek.cancellation import check_cancelled
from snapseek.errors import OutOfRangeError
from snapseek.library.duplicates.candidates import neighbours
from snapseek.library.search.likeness import CosineBars, Look, PreviewComparison, look_at
from snapseek.library.storage.rows import RowRef
from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shards import Shards

MAX_PICTURES = 200_000
"""Pictures of one review, whose vectors are held in memory."""

_DETAILED_PICTURES = 20_000
"""Up to as many pictures are compared in detail from the lower bar on."""


@dataclass(frozen=True)
class DuplicateGroup:
    """Pictures that are the same one.

    Attributes
    ----------
    best
        The id of the best: with the most pixels, then bytes, then metadata.
    others
        The ids of the others, best first.
    free_bytes
        What the files of the others take.
    """

    best: int
    others: tuple[int, ...]
    free_bytes: int


@dataclass(frozen=True)
class DuplicateReview:
    """The near-duplicates of a library.

    Attributes
    ----------
    groups
        Those that free most first.
    compared
        How many pictures were compared.
    """

    groups: tuple[DuplicateGroup, ...]
    compared: int

    @property
    def free_bytes(self) -> int:
        """What the files of all pictures but the best take."""
        return sum(group.free_bytes for group in self.groups)

    @property
    def others(self) -> int:
        """How many pictures there are besides the best of each group."""
        return sum(len(group.others) for group in self.groups)


class _Quality(NamedTuple):
    pixels: int
    size_bytes: int
    fields: int


def review(shards: Shards, selection: Selection, bars: CosineBars) -> DuplicateReview:
    """Compare all selected pictures.

    Raises
    ------
    OutOfRangeError
        More than `MAX_PICTURES` are selected.
    OperationCancelledError
        The result is no longer wanted.
    """
    if selection.count > MAX_PICTURES:
        raise OutOfRangeError(
            expected=f"at most {MAX_PICTURES:,} pictures to compare",
            got=f"{selection.count:,}",
            hint="select some with a filter, such as year:2024 or in:holiday",
        )
    rows = _rows(selection, len(shards.parts))
    if not rows:
        return DuplicateReview((), 0)
    pairs = np.array(rows, np.int64)
    vectors = shards.vectors_at(pairs[:, 0], pairs[:, 1])
    min_cosine = bars.near if len(rows) <= _DETAILED_PICTURES else bars.close
    near = neighbours(vectors, min_cosine)
    del vectors
    looks: dict[int, Look] = {}

    def look(number: int) -> Look:
        if number not in looks:
            looks[number] = look_at(shards, rows[number])
        return looks[number]

    comparison = PreviewComparison(look, bars)
    same: dict[int, list[int]] = {}
    for number, others in near.items():
        check_cancelled()
        alike = comparison.alike(number, list(others), list(others.values()))
        if alike:
            same[number] = alike
    return DuplicateReview(_grouped(shards, rows, same), len(rows))


def _rows(selection: Selection, shards: int) -> list[RowRef]:
    found: list[RowRef] = []
    for number in range(shards):
        found += [RowRef(number, row) for row in selection.rows_by_id(number, 0, selection.count)]
    return found


def _grouped(
    shards: Shards, rows: Sequence[RowRef], same: dict[int, list[int]]
) -> tuple[DuplicateGroup, ...]:
    """Return the groups, greedily: each picture joins the first group, by quality, whose best it is like."""
    numbers = list(same)
    quality = dict(zip(numbers, _qualities(shards, [rows[number] for number in numbers]), strict=True))
    ids = {number: _id_of(shards, rows[number]) for number in numbers}
    order = sorted(numbers, key=lambda number: (*(-part for part in quality[number]), ids[number]))
    rank = {number: position for position, number in enumerate(order)}
    taken: set[int] = set()
    groups = []
    for number in order:
        if number in taken:
            continue
        others = sorted((other for other in same[number] if other not in taken), key=rank.__getitem__)
        others = [other for other in others if other != number]
        if others:
            taken |= {number, *others}
            free = sum(quality[other].size_bytes for other in others)
            groups.append(DuplicateGroup(ids[number], tuple(ids[other] for other in others), free))
    return tuple(sorted(groups, key=lambda group: (-group.free_bytes, -len(group.others), group.best)))


def _qualities(shards: Shards, rows: Sequence[RowRef]) -> list[_Quality]:
    found = []
    for (_, _, width, height, _, _, caption), meta in shards.records(rows):
        size = meta.get("size_bytes")
        known = sum(value not in (None, "", []) for value in (caption, *meta.values()))
        found.append(_Quality((width or 0) * (height or 0), size if isinstance(size, int) else 0, known))
    return found


def _id_of(shards: Shards, row: RowRef) -> int:
    return int(shards.parts[row.shard].shard.ids[row.row])
