"""How many results of a ranking by score are relevant: they fit better than ordinary results of any query.

Cosines of different queries cannot be compared: some words lie near every picture, some near none. So a score
is measured in standard deviations above the mean score of the same query on random pictures. How many
deviations a good result has depends on the library: the threshold is the best result of the weakest quarter
of a sample of ordinary queries. (Measured on the demo pictures, whose file names say what they show: F1 of
0.29 at best, against 0.23 for a fixed cosine.)
"""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shard_view import ShardView
from snapseek.library.storage.shards import Shards
from snapseek.models import Encoder
from snapseek.models.queries.sample_queries import sample_queries

_SAMPLE_QUERIES = 64
_QUANTILE = 0.25
_SAMPLE_PICTURES = 400
_MIN_SAMPLE = 20
"""Fewer pictures, or queries, say nothing about a distribution."""

Thresholds = dict[str, float | None]
"""The threshold in standard deviations by the fingerprint of a model; None where nothing can be said."""


class Relevance:
    """Counts the relevant results of rankings of one state of a library. Safe to use from many threads.

    Parameters
    ----------
    shards
        The pictures.
    everything
        The selection of all of them.
    thresholds
        What is known already, as of an earlier state with nearly the same pictures; filled here.
    """

    def __init__(self, shards: Shards, everything: Selection, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self._shards = shards
        self._everything = everything

    @cached_property
    def background(self) -> "Background":
        """The scores of random pictures."""
        return Background(self._shards.parts, self._everything)

    def count(
        self, scores: Sequence[float | None], vector: NDArray[np.float32], encoder: Encoder
    ) -> int | None:
        """Return how many of the falling scores of a query vector, (dim,), are relevant.

        None where all of them are, or where the library is too small to say.
        """
        threshold = self._threshold(encoder)
        moments = None if threshold is None else self.background.moments(vector)
        if threshold is None or moments is None:
            return None
        mean, deviation = moments
        return relevant_count(scores, mean + threshold * deviation)

    def _threshold(self, encoder: Encoder) -> float | None:
        if encoder.fingerprint not in self.thresholds:
            queries = sample_queries(encoder, _SAMPLE_QUERIES)
            best = [self._best_score(query) for query in queries]
            moments = [self.background.moments(query) for query in queries]
            self.thresholds[encoder.fingerprint] = threshold_of(np.array(best, np.float32), moments)
        return self.thresholds[encoder.fingerprint]

    def _best_score(self, query: NDArray[np.float32]) -> float:
        scores = self._shards.search(query[None], 1, selection=self._everything).scores
        return float(scores[0]) if len(scores) else 0.0


class Background:
    """The distribution of a query's scores on random pictures. Safe to use from many threads."""

    def __init__(self, parts: Sequence[ShardView], everything: Selection) -> None:
        samples = [_sample(part, number, everything) for number, part in enumerate(parts)]
        self._count = sum(map(len, samples))
        vectors = [part.shard.index.vectors(rows) for part, rows in zip(parts, samples, strict=True)]
        sample = np.concatenate(vectors) if self._count else np.zeros((0, 0), np.float32)
        self._mean = sample.mean(0) if self._count else sample
        centered = sample - self._mean
        self._covariance = centered.T @ centered / max(1, self._count)

    def moments(self, vector: NDArray[np.float32]) -> tuple[float, float] | None:
        """Return mean and standard deviation of the scores for a unit vector (dim,).

        None for a library too small to say, and where all scores are equal.
        """
        if self._count < _MIN_SAMPLE:
            return None
        # A score is the product x·v, so its mean is E[x]·v and its variance vᵀ Cov(x) v. einsum stays in this
        # thread, where OpenBLAS would wake others for a tenth of a millisecond of work.
        variance = float(np.einsum("ij,j->i", self._covariance, vector) @ vector)
        return (float(self._mean @ vector), math.sqrt(variance)) if variance > 0 else None


def _sample(part: ShardView, number: int, everything: Selection) -> NDArray[np.int64]:
    """Return random rows of a shard, rising: its share of the sample."""
    mask = everything.masks[number]
    rows = np.arange(len(part.shard)) if mask is None else np.flatnonzero(mask)
    count = min(len(rows), int(np.ceil(_SAMPLE_PICTURES * len(rows) / max(1, everything.count))))
    return np.sort(np.random.default_rng(0).permutation(rows)[:count])


def threshold_of(
    best_scores: NDArray[np.float32], moments: Sequence[tuple[float, float] | None]
) -> float | None:
    """Return from how many standard deviations on a result is relevant; None for too few queries.

    Parameters
    ----------
    best_scores
        (q,) float32, the best score of each sample query.
    moments
        Mean and standard deviation of each query's scores on random pictures.
    """
    deviations = [
        (score - found[0]) / found[1]
        for score, found in zip(best_scores.tolist(), moments, strict=True)
        if found
    ]
    return float(np.quantile(deviations, _QUANTILE)) if len(deviations) >= _MIN_SAMPLE else None


def relevant_count(scores: Sequence[float | None], threshold: float) -> int | None:
    """Return the index of the first falling score below the threshold; None where there is none."""
    return next((rank for rank, score in enumerate(scores) if score is not None and score < threshold), None)
