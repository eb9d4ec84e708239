"""Groups of near-duplicates of one state of a library, the best picture of each first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from snapseek.cancellation import check_cancelled
from snapseek.errors import OutOfRangeError
from snapseek.library.duplicates.candidates import neighbours
from snapseek.library.search.likeness import CosineBars, Look, Looks, PreviewComparison
from snapseek.library.storage.rows import RowRef
from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shards import Shards

MAX_PICTURES = 200_000
"""Pictures of one review, whose vectors are held in memory."""

_DETAILED_PICTURES = 20_000
"""Up to as many pictures are compared in detail from the lower bar on."""

_DERIVED = ("place", "country")
"""Columns that are made of others when a picture is read."""


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


class Quality(NamedTuple):
    """What makes a picture the best of its group, the most important first."""

    pixels: int
    size_bytes: int
    fields: int

    @classmethod
    def of(cls, width: int | None, height: int | None, caption: object, meta: Mapping[str, Any]) -> Self:
        """Return the quality of a picture by its record."""
        size = meta.get("size_bytes")
        values = [caption, *(value for name, value in meta.items() if name not in _DERIVED)]
        known = sum(value not in (None, "", []) for value in values)
        return cls((width or 0) * (height or 0), size if isinstance(size, int) else 0, known)


class ReviewedPictures(Protocol):
    """The pictures of a review, by their numbers from 0 on."""

    ids: Sequence[int]

    def vectors(self) -> NDArray[np.float32]:
        """Return their unit vectors, (n, dim) float32."""

    def read(self, numbers: Sequence[int]) -> None:
        """Read the records of these pictures, before they are compared."""

    def looks(self, numbers: Sequence[int]) -> list[Look]:
        """Return what pictures are compared by."""

    def quality(self, number: int) -> Quality:
        """Return the quality of a picture."""


def check_count(count: int) -> None:
    """Raise OutOfRangeError for more than `MAX_PICTURES`."""
    if count > MAX_PICTURES:
        raise OutOfRangeError(
            expected=f"at most {MAX_PICTURES:,} pictures to compare",
            got=f"{count:,}",
            hint="select some with a filter, such as year:2024 or in:holiday",
        )


def review_library(shards: Shards, selection: Selection, bars: CosineBars) -> DuplicateReview:
    """Compare all selected pictures of a library.

    Raises
    ------
    OutOfRangeError
        More than `MAX_PICTURES` are selected.
    OperationCancelledError
        The result is no longer wanted.
    """
    check_count(selection.count)
    return review(_ShardPictures(shards, _rows(selection, len(shards.parts))), bars)


def review(pictures: ReviewedPictures, bars: CosineBars) -> DuplicateReview:
    """Compare pictures. Raises OperationCancelledError if the result is no longer wanted."""
    count = len(pictures.ids)
    if not count:
        return DuplicateReview((), 0)
    near = neighbours(pictures.vectors(), bars.near if count <= _DETAILED_PICTURES else bars.close)
    pictures.read(list(near))
    comparison = PreviewComparison(pictures.looks, bars)
    same: dict[int, list[int]] = {}
    for number, others in near.items():
        check_cancelled()
        alike = comparison.alike(number, list(others), list(others.values()))
        if alike:
            same[number] = alike
    return DuplicateReview(_grouped(pictures, same), count)


def _rows(selection: Selection, shards: int) -> list[RowRef]:
    found: list[RowRef] = []
    for number in range(shards):
        found += [RowRef(number, row) for row in selection.rows_by_id(number, 0, selection.count)]
    return found


class _ShardPictures:
    """Pictures of a library. Records are read as they are needed."""

    def __init__(self, shards: Shards, rows: Sequence[RowRef]) -> None:
        self.ids: Sequence[int] = [shards.id_at(row) for row in rows]
        self._shards = shards
        self._rows = rows
        self._looks = Looks(shards, max_looks=len(rows))

    def vectors(self) -> NDArray[np.float32]:
        pairs = np.array(self._rows, np.int64)
        return self._shards.vectors_at(pairs[:, 0], pairs[:, 1])

    def read(self, numbers: Sequence[int]) -> None:
        """Nothing: records are on this machine."""

    def looks(self, numbers: Sequence[int]) -> list[Look]:
        return self._looks.of([self._rows[number] for number in numbers])

    def quality(self, number: int) -> Quality:
        (_, _, width, height, _, _, caption), meta = self._shards.records([self._rows[number]])[0]
        return Quality.of(width, height, caption, meta)


def _grouped(pictures: ReviewedPictures, same: dict[int, list[int]]) -> tuple[DuplicateGroup, ...]:
    """Return the groups, greedily: each picture joins the first group, by quality, whose best it is like."""
    quality = {number: pictures.quality(number) for number in same}
    ids = pictures.ids
    order = sorted(same, key=lambda number: (*(-part for part in quality[number]), ids[number]))
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
