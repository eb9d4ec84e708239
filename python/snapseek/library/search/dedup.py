"""Pictures that are nearly the same shown as one: the best ranked, with the others under it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAR_COSINE = 0.96
_ROWS = 16
_MOST_OF_ONE_THREAD = 1 << 18
"""Multiplications up to which OpenBLAS stays in one thread (GEMM_MULTITHREAD_THRESHOLD, as it is built)."""


@dataclass(frozen=True)
class DuplicateGroup:
    """A place of the ranking that is shown, and the places after it that are nearly the same picture."""

    place: int
    similar: tuple[int, ...]


def duplicate_groups(vectors: NDArray[np.float32], least: float = NEAR_COSINE) -> list[DuplicateGroup]:
    """The ranking of (n, dim) unit rows, folded: greedy from the best on.

    Each row goes under the first shown row to which its cosine is at least `least`, else it is shown. So what
    is shown of the first places does not depend on how many come after them.
    """
    count = len(vectors)
    near = np.zeros((count, count), np.bool_)
    for start in range(0, count, _ROWS):
        near[start : start + _ROWS, start:] = (
            products(vectors[start : start + _ROWS], vectors[start:]) >= least
        )
    near = np.triu(near, 1)
    leader = np.full(count, -1, np.int64)
    similar: dict[int, tuple[int, ...]] = {}
    for place in np.flatnonzero(near.any(axis=1)).tolist():  # few rows are near to a later one
        if leader[place] < 0:
            followers = np.flatnonzero(near[place] & (leader < 0))
            leader[followers] = place
            similar[place] = tuple(followers.tolist())
    return [DuplicateGroup(place, similar.get(place, ())) for place in np.flatnonzero(leader < 0).tolist()]


def products(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m, n): every row of `left`, (m, dim) with m of at most 16, with every row of `right`, (n, dim).

    In blocks so small that OpenBLAS takes no second thread for them: beside a server its threads
    wait for one another, which was measured to cost five times the work itself.
    """
    count, dim = right.shape
    width = max(1, _MOST_OF_ONE_THREAD // (_ROWS * max(1, dim)))
    whole = count - count % width
    blocks = left @ right[:whole].reshape(-1, width, dim).swapaxes(1, 2)
    first = blocks.swapaxes(0, 1).reshape(len(left), whole)
    return np.asarray(np.concatenate([first, left @ right[whole:].T], axis=1), np.float32)
