"""Reciprocal rank fusion: several rankings made one."""

from collections.abc import Sequence


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], constant: int = 60) -> list[int]:
    """Reciprocal rank fusion of rankings of the same things; equal ones by their place in the first.

    Cormack, Clarke and Buettcher, SIGIR 2009; 60 is their constant.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for place, thing in enumerate(ranking):
            scores[thing] = scores.get(thing, 0.0) + 1 / (constant + 1 + place)
    order = {thing: place for place, thing in enumerate(scores)}
    return sorted(scores, key=lambda thing: (-scores[thing], order[thing]))
