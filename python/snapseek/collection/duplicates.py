"""The review of near-duplicates over the partitions of a collection."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snapseek.cancellation import check_cancelled
from snapseek.collection.found_pictures import look_of, records, unit_vectors
from snapseek.collection.manifest import id_of
from snapseek.collection.query import PartitionQuery
from snapseek.library.duplicates.review import Quality
from snapseek.library.search.likeness import Look
from snapseek.library.storage.rows import RowRef

_PAGE = 4096
"""Vectors or records of one exchange."""

_COMPARED = ("preview", "caption", "meta")


class PartitionPictures:
    """The pictures of a review: `ReviewedPictures`, read from partitions page by page.

    Its methods raise PartitionLostError if a partition fails.
    """

    def __init__(self, query: PartitionQuery, rows: Sequence[RowRef], dim: int) -> None:
        self.ids: Sequence[int] = list(map(id_of, rows))
        self._query = query
        self._rows = rows
        self._dim = dim
        self._read: dict[int, tuple[Look, Quality]] = {}

    def vectors(self) -> NDArray[np.float32]:
        """Return unit vectors, (n, dim) float32."""
        found = np.empty((len(self._rows), self._dim), np.float32)
        for start in range(0, len(found), _PAGE):
            check_cancelled()
            end = start + _PAGE
            found[start:end] = unit_vectors(self._query, self._rows[start:end], self._dim)
            self._query.forget_answers()
        return found

    def read(self, numbers: Sequence[int]) -> None:
        """Read the records of these pictures."""
        for start in range(0, len(numbers), _PAGE):
            check_cancelled()
            page = numbers[start : start + _PAGE]
            refs = [self._rows[number] for number in page]
            found = records(self._query, refs, _COMPARED)
            self._query.check_complete(refs, found)
            for number, ref in zip(page, refs, strict=True):
                one = found[ref]
                look = look_of(one)
                self._read[number] = look, Quality.of(one.width, one.height, one.caption, one.meta)
            self._query.forget_answers()

    def looks(self, numbers: Sequence[int]) -> list[Look]:
        """Return what pictures that were read are compared by."""
        return [self._read[number][0] for number in numbers]

    def quality(self, number: int) -> Quality:
        """Return the quality of a picture that was read."""
        return self._read[number][1]
