"""Near-duplicates grouped under the best ranked of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Confirm = Callable[[int, Sequence[int], Sequence[float]], list[int]]
"""Returns which of some ranks are near-duplicates of the first, by their cosines to it."""

_BLOCK_ROWS = 16
_SINGLE_THREADED_PRODUCTS = 1 << 18
"""Multiplications up to which OpenBLAS stays in one thread (GEMM_MULTITHREAD_THRESHOLD of its build)."""


@dataclass(frozen=True)
class DuplicateGroup:
    """The rank of a picture that is shown, and the later ranks of its near-duplicates."""

    first: int
    similar: tuple[int, ...]


def duplicate_groups(
    vectors: NDArray[np.float32],
    min_cosine: float,
    confirm: Confirm | None = None,
) -> list[DuplicateGroup]:
    """Group the near-duplicates of a ranking, greedily from the best rank on.

    Each row joins the group of the first shown row with a cosine of at least `min_cosine`; without one it is
    shown itself. So the groups of the first ranks do not depend on how many ranks follow.

    Parameters
    ----------
    vectors
        (n, dim) float32 unit rows, best first.
    min_cosine
        The smallest cosine of near-duplicates.
    confirm
        A second opinion on ranks of that cosine; None confirms all.

    Returns
    -------
    list of DuplicateGroup
        By rising rank; every rank is in one group.
    """
    count = len(vectors)
    near = np.zeros((count, count), np.bool_)
    for start in range(0, count, _BLOCK_ROWS):
        near[start : start + _BLOCK_ROWS, start:] = (
            products(vectors[start : start + _BLOCK_ROWS], vectors[start:]) >= min_cosine
        )
    near = np.triu(near, 1)
    leader = np.full(count, -1, np.int64)
    similar: dict[int, tuple[int, ...]] = {}
    for rank in np.flatnonzero(near.any(axis=1)).tolist():  # few rows are near to a later one
        if leader[rank] < 0:
            followers = np.flatnonzero(near[rank] & (leader < 0))
            if confirm is not None and len(followers):
                cosines = vectors[followers] @ vectors[rank]
                followers = np.array(confirm(rank, followers.tolist(), cosines.tolist()), np.int64)
            if not len(followers):
                continue
            leader[followers] = rank
            similar[rank] = tuple(followers.tolist())
    return [DuplicateGroup(rank, similar.get(rank, ())) for rank in np.flatnonzero(leader < 0).tolist()]


def products(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the products, (m, n), of the rows of `left`, (m, dim) with m up to 16, and `right`, (n, dim).

    The blocks are so small that OpenBLAS uses a single thread for them. In a server its threads wait for one
    another, which was measured to cost five times the work itself.
    """
    count, dim = right.shape
    width = max(1, _SINGLE_THREADED_PRODUCTS // (_BLOCK_ROWS * max(1, dim)))
    whole = count - count % width
    blocks = left @ right[:whole].reshape(-1, width, dim).swapaxes(1, 2)
    first = blocks.swapaxes(0, 1).reshape(len(left), whole)
    return np.asarray(np.concatenate([first, left @ right[whole:].T], axis=1), np.float32)
