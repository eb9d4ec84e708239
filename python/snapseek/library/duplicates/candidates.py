"""Pairs of vectors with a high cosine, without comparing all with all.

Up to `EXACT_ROWS` rows are compared with one another in blocks. More rows are first divided into buckets: the
square root of their number is drawn at random as centers, and each row is in the buckets of its two nearest
centers. Rows are compared within buckets only, so the work grows as n to the power 1.5 instead of 2.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from snapseek.cancellation import check_cancelled

EXACT_ROWS = 8192
MAX_NEIGHBOURS = 32
"""Of one row; the nearest count."""

_BLOCK_ROWS = 1024
_BUCKETS_A_ROW = 2

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


def neighbours(vectors: Floats, min_cosine: float) -> dict[int, dict[int, float]]:
    """Return for each row the other rows with a cosine of at least `min_cosine`, with their cosines.

    Parameters
    ----------
    vectors
        (n, dim) float32 unit rows.
    min_cosine
        The smallest cosine of a pair.

    Raises
    ------
    OperationCancelledError
        The result is no longer wanted.
    """
    found: dict[int, dict[int, float]] = {}
    for rows in _buckets(vectors):
        here = vectors[rows]
        for start in range(0, len(rows), _BLOCK_ROWS):
            check_cancelled()
            cosines = here[start : start + _BLOCK_ROWS] @ here.T
            np.fill_diagonal(cosines[:, start:], -2)
            _add(found, rows[start : start + _BLOCK_ROWS], rows, cosines, min_cosine)
    return found


def _add(
    found: dict[int, dict[int, float]], left: Rows, right: Rows, cosines: Floats, min_cosine: float
) -> None:
    """Add the pairs of a block; of each row on the left the nearest ones."""
    for row in np.flatnonzero((cosines >= min_cosine).any(axis=1)).tolist():
        near = np.flatnonzero(cosines[row] >= min_cosine)
        if len(near) > MAX_NEIGHBOURS:
            near = near[np.argsort(-cosines[row, near], kind="stable")[:MAX_NEIGHBOURS]]
        pairs = zip(right[near].tolist(), cosines[row, near].tolist(), strict=True)
        for other, cosine in pairs:
            found.setdefault(int(left[row]), {})[other] = cosine
            found.setdefault(other, {})[int(left[row])] = cosine


def _buckets(vectors: Floats) -> Iterator[Rows]:
    """Yield the rows of each bucket, (n,) int64."""
    count = len(vectors)
    if count <= EXACT_ROWS:
        yield np.arange(count)
        return
    centers = vectors[np.random.default_rng(0).choice(count, int(count**0.5), replace=False)]
    nearest = np.empty((count, _BUCKETS_A_ROW), np.int64)
    for start in range(0, count, _BLOCK_ROWS):
        check_cancelled()
        cosines = vectors[start : start + _BLOCK_ROWS] @ centers.T
        nearest[start : start + _BLOCK_ROWS] = np.argpartition(-cosines, _BUCKETS_A_ROW, axis=1)[
            :, :_BUCKETS_A_ROW
        ]
    order = np.argsort(nearest.ravel(), kind="stable")
    bounds = np.searchsorted(nearest.ravel()[order], np.arange(len(centers) + 1))
    for low, high in itertools.pairwise(bounds):
        if high - low > 1:
            yield order[low:high] // _BUCKETS_A_ROW
