"""Pictures that are nearly the same shown as one: the best ranked, with the others under it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAR_COSINE = 0.96
_BLOCK = 128


@dataclass(frozen=True)
class Fold:
    """A place of the ranking that is shown, and the places after it that are nearly the same picture."""

    place: int
    similar: tuple[int, ...]


def folded_places(vectors: NDArray[np.float32], least: float = NEAR_COSINE) -> list[Fold]:
    """The ranking of (n, dim) unit rows, folded: greedy from the best on.

    Each row goes under the first shown row to which its cosine is at least `least`, else it is shown. So what
    is shown of the first places does not depend on how many come after them.
    """
    count = len(vectors)
    leader = np.full(count, -1, np.int64)
    for start in range(0, count, _BLOCK):
        end = min(start + _BLOCK, count)
        _assign(vectors[start:end], vectors[start:], leader, start, least)
    similar: dict[int, list[int]] = {}
    for place, above in enumerate(leader.tolist()):
        if above >= 0:
            similar.setdefault(above, []).append(place)
    return [Fold(place, tuple(similar.get(place, ()))) for place in range(count) if leader[place] < 0]


def _assign(
    block: NDArray[np.float32], rest: NDArray[np.float32], leader: NDArray[np.int64], start: int, least: float
) -> None:
    """Put rows under the shown rows of a block of ranks; `rest` begins with the block, at rank `start`."""
    near = block @ rest.T >= least
    for place in np.flatnonzero(near.sum(axis=1) > 1):
        if leader[start + place] >= 0:
            continue
        followers = start + place + 1 + np.flatnonzero(near[place, place + 1 :])
        followers = followers[leader[followers] < 0]
        leader[followers] = start + place


def fused(rankings: Sequence[Sequence[int]], constant: int = 60) -> list[int]:
    """Reciprocal rank fusion of rankings of the same things; equal ones by their place in the first.

    Cormack, Clarke and Buettcher, SIGIR 2009; 60 is their constant.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for place, thing in enumerate(ranking):
            scores[thing] = scores.get(thing, 0.0) + 1 / (constant + 1 + place)
    order = {thing: place for place, thing in enumerate(scores)}
    return sorted(scores, key=lambda thing: (-scores[thing], order[thing]))
