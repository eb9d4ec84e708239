"""Where in a ranking the matches become weak: not better than chance finds for this query.

Cosines of different queries cannot be compared: some words lie near every picture, some near none. A score
is told in standard deviations above the mean of what the same query scores on pictures drawn at random. How
many of them an ordinary find has, the library itself says: it is asked a bank of ordinary queries, and what
is below the best find of three quarters of them is weak. (Measured on the demo pictures, whose file names
tell what is to be seen: an F1 of 0.29 at best, of 0.23 for a fixed cosine.)
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snapseek.library.matching import Matching
from snapseek.library.part import Part
from snapseek.library.shard import Allowed

BANK_SIZE = 64
_SHARE = 0.25
_SAMPLE = 400
_FEWEST = 20
"""Pictures, or queries, of fewer say nothing of a distribution."""


class Background:
    """What a query scores on pictures drawn at random. Safe to use from many threads."""

    def __init__(self, parts: Sequence[Part], everything: Matching) -> None:
        """Of the living pictures, `everything`."""
        self._parts = parts
        self._allowed = [_drawn(part, number, everything) for number, part in enumerate(parts)]

    def moments(self, vector: NDArray[np.float32]) -> tuple[float, float] | None:
        """Mean and standard deviation of the scores for a unit vector (dim,); None where they say nothing."""
        found = [
            part.shard.search(vector[None], _SAMPLE, allow=allowed, exact=True)[1]
            for part, allowed in zip(self._parts, self._allowed, strict=True)
        ]
        scores = np.concatenate([np.zeros(0, np.float32), *found])
        if len(scores) < _FEWEST or not scores.std() > 0:
            return None
        return float(scores.mean()), float(scores.std())


def _drawn(part: Part, number: int, everything: Matching) -> Allowed:
    """Some of the living rows of a shard: its share of the sample."""
    flags = everything.flags[number]
    rows = np.arange(len(part.shard)) if flags is None else np.flatnonzero(flags)
    share = min(len(rows), int(np.ceil(_SAMPLE * len(rows) / max(1, len(everything)))))
    chosen = np.zeros(len(part.shard), np.bool_)
    chosen[np.random.default_rng(0).permutation(rows)[:share]] = True
    return part.shard.index.filter(chosen, by_row=True)


def least_deviations(
    best: NDArray[np.float32], moments: Sequence[tuple[float, float] | None]
) -> float | None:
    """From how many standard deviations on a find is not weak, by the best scores (q,) of a bank of queries.

    None where too few queries say anything.
    """
    known = [
        (score - found[0]) / found[1] for score, found in zip(best.tolist(), moments, strict=True) if found
    ]
    return float(np.quantile(known, _SHARE)) if len(known) >= _FEWEST else None


def first_weak(scores: Sequence[float | None], threshold: float) -> int | None:
    """The first place of falling scores that is below the threshold; None where none is."""
    return next(
        (place for place, score in enumerate(scores) if score is not None and score < threshold), None
    )
