"""Reciprocal rank fusion: several rankings made one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], constant: int = 60) -> list[int]:
    """Return the fusion of rankings by the sum of 1 / (constant + rank) over the rankings, ranks from 1.

    Ties keep their order in the first ranking. See Cormack, Clarke and Buettcher, SIGIR 2009, whose constant
    is 60.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (constant + rank)
    return sorted(scores, key=lambda item: -scores[item])  # stable: `scores` is in order of first occurrence


def fused_order(first: int, second: NDArray[np.int64], constant: int = 60) -> NDArray[np.int64]:
    """Return the fusion of two rankings of numbered items as `reciprocal_rank_fusion` does.

    Parameters
    ----------
    first
        The first ranking is 0 to `first` - 1.
    second
        The second one, (n,): items of the first ranking, and others numbered from `first` in order.

    Returns
    -------
    NDArray
        (m,) the different items, best first.
    """
    scores = np.zeros(max(first, int(second.max(initial=-1)) + 1), np.float64)
    scores[:first] = 1 / (constant + np.arange(1, first + 1))
    scores[second] += 1 / (constant + np.arange(1, len(second) + 1))
    return np.argsort(-scores, kind="stable")
