"""Where in a ranking the matches become weak: not better than chance finds for this query.

Cosines of different queries cannot be compared: some words lie near every picture, some near none. A score
is told in standard deviations above the mean of what the same query scores on pictures drawn at random. How
many of them an ordinary find has, the library itself says: it is asked a bank of ordinary queries, and what
is below the best find of three quarters of them is weak. (Measured on the demo pictures, whose file names
tell what is to be seen: an F1 of 0.29 at best, of 0.23 for a fixed cosine.)
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shard_view import ShardView

BANK_SIZE = 64
_SHARE = 0.25
_SAMPLE = 400
_FEWEST = 20
"""Pictures, or queries, of fewer say nothing of a distribution."""


class Background:
    """What a query scores on pictures drawn at random. Safe to use from many threads."""

    def __init__(self, parts: Sequence[ShardView], everything: Selection) -> None:
        """Of the living pictures, `everything`."""
        drawn = [_drawn(part, number, everything) for number, part in enumerate(parts)]
        self._count = sum(map(len, drawn))
        vectors = [part.shard.index.vectors(rows) for part, rows in zip(parts, drawn, strict=True)]
        sample = np.concatenate(vectors) if self._count else np.zeros((0, 0), np.float32)
        self._mean = sample.mean(0) if self._count else sample
        centred = sample - self._mean
        self._covariance = centred.T @ centred / max(1, self._count)

    def moments(self, vector: NDArray[np.float32]) -> tuple[float, float] | None:
        """Mean and standard deviation of the scores for a unit vector (dim,); None where they say nothing."""
        if self._count < _FEWEST:
            return None
        # Scores are products, so their mean and spread are those of the vectors in the query's direction.
        # einsum, as it stays in this thread: OpenBLAS would wake others for a tenth of a millisecond of work.
        spread = float(np.einsum("ij,j->i", self._covariance, vector) @ vector)
        return (float(self._mean @ vector), math.sqrt(spread)) if spread > 0 else None


def _drawn(part: ShardView, number: int, everything: Selection) -> NDArray[np.int64]:
    """Some of the living rows of a shard, rising: its share of the sample."""
    flags = everything.masks[number]
    rows = np.arange(len(part.shard)) if flags is None else np.flatnonzero(flags)
    share = min(len(rows), int(np.ceil(_SAMPLE * len(rows) / max(1, len(everything)))))
    return np.sort(np.random.default_rng(0).permutation(rows)[:share])


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


def relevant_count(scores: Sequence[float | None], threshold: float) -> int | None:
    """The first place of falling scores that is below the threshold; None where none is."""
    return next(
        (place for place, score in enumerate(scores) if score is not None and score < threshold), None
    )
