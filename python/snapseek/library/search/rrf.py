"""Reciprocal rank fusion: several rankings made one."""

from collections.abc import Sequence


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
