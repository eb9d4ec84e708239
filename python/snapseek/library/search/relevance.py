"""How many results of a ranking by score are relevant.

A result is relevant if its score exceeds the mean score of its query on the background of the model by the
model's threshold: see `Background`. A model without a measured background is measured on a random sample of
the library, which is less reliable: what is frequent in the library counts as ordinary.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import InputError, SnapseekError
from snapseek.library.concepts.taught import TaughtConcepts
from snapseek.library.search.candidates import Ranking
from snapseek.library.search.likeness import CosineBars
from snapseek.library.search.notices import UNKNOWN_LANGUAGE, Notice
from snapseek.library.search.query_vector import LazyEncoder, QueryVector
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shard_view import ShardView
from snapseek.library.storage.shards import Shards
from snapseek.models import Encoder
from snapseek.models.queries.background import Background, load_background
from snapseek.models.queries.sample_queries import sample_queries

_SAMPLE_QUERIES = 128
_SAMPLE_PICTURES = 400
_MIN_SAMPLE = 20
"""Fewer pictures, or queries, say nothing about a distribution."""

Backgrounds = dict[str, Background | None]
"""By the fingerprint of a vector space; None where nothing can be said."""


class Relevance:
    """Counts the relevant results of rankings of one state of a library. Safe to use from many threads.

    Parameters
    ----------
    shards
        The pictures.
    everything
        The selection of all of them.
    sampled
        The backgrounds that were sampled of an earlier state with nearly the same pictures; filled here.
    """

    def __init__(self, shards: Shards, everything: Selection, sampled: Backgrounds) -> None:
        self.sampled = sampled
        self._measured: Backgrounds = {}
        self._bars: dict[str, CosineBars] = {}
        self._sampled_vectors: NDArray[np.float32] | None = None
        self._shards = shards
        self._everything = everything

    def count(
        self, scores: Sequence[float | None], vector: NDArray[np.float32], encoder: Encoder
    ) -> int | None:
        """Return how many of the falling scores of a query vector, (dim,), are relevant.

        None where all of them are, or where the library is too small to say.
        """
        background = self.background(encoder)
        return None if background is None else relevant_count(scores, background.min_score(vector))

    def background(self, encoder: Encoder) -> Background | None:
        """Return the background of the model, or else of the library; None for a library too small."""
        space = encoder.space
        if space not in self._measured:
            self._measured[space] = load_background(encoder)
        return self._measured[space] or self._sampled(encoder)

    def pictures(self, encoder: Encoder) -> NDArray[np.float32]:
        """Return the vectors of the background of the model, (n, dim), or else a sample of the library."""
        background = self.background(encoder)
        if background is not None and background.pictures is not None:
            return background.pictures
        return self._sample()

    def cosine_bars(self, encoder: LazyEncoder) -> CosineBars:
        """Return the cosines of near-duplicates of the model; general ones for one without a background."""
        try:
            space = encoder.encoder.space
        except SnapseekError:  # pictures are compared without the model
            return CosineBars()
        if space not in self._bars:
            background = self.background(encoder.encoder)
            is_measured = background is not None and background.origin != "library"
            pictures = background.pictures if background is not None and is_measured else None
            self._bars[space] = CosineBars() if pictures is None else CosineBars.of(pictures)
        return self._bars[space]

    def _sample(self) -> NDArray[np.float32]:
        if self._sampled_vectors is None:
            parts = self._sample_vectors()
            self._sampled_vectors = np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
        return self._sampled_vectors

    def _sampled(self, encoder: Encoder) -> Background | None:
        if encoder.space not in self.sampled:
            self.sampled[encoder.space] = self._measure(encoder)
        return self.sampled[encoder.space]

    def _measure(self, encoder: Encoder) -> Background | None:
        if len(self._sample()) < _MIN_SAMPLE:
            return None
        queries = sample_queries(encoder, _SAMPLE_QUERIES)
        if len(queries) < _MIN_SAMPLE:
            return None
        return Background.of(self._sample(), queries, "library")

    def _sample_vectors(self) -> list[NDArray[np.float32]]:
        """Return the vectors of a random sample, (n, dim) each, shard by shard."""
        share = sample_share(self._everything.count)
        return [
            part.shard.index.vectors(sample_rows(part, number, self._everything, share))
            for number, part in enumerate(self._shards.parts)
        ]


def sample_share(count: int) -> float:
    """Return which share of the pictures of a library is sampled."""
    return min(1.0, _SAMPLE_PICTURES / max(1, count))


def sample_rows(part: ShardView, number: int, everything: Selection, share: float) -> NDArray[np.int64]:
    """Return random rows of a shard, rising: that share of them."""
    mask = everything.masks[number]
    rows = np.arange(len(part.shard)) if mask is None else np.flatnonzero(mask)
    count = min(len(rows), int(np.ceil(share * len(rows))))
    return np.sort(np.random.default_rng(0).permutation(rows)[:count])


def relevant_count(scores: Sequence[float | None], min_score: float) -> int | None:
    """Return the index of the first falling score below `min_score`; None where there is none."""
    return next((rank for rank, score in enumerate(scores) if score is not None and score < min_score), None)


def relevant_in(
    relevance: Relevance,
    concepts: TaughtConcepts,
    resolved: ResolvedRequest,
    ranking: Ranking,
    vector: QueryVector,
    encoder: LazyEncoder,
    notices: Sequence[Notice] = (),
) -> int | None:
    """Return the number of relevant results; None where the order is not that of words by the model.

    Scores of pictures with pictures have another distribution, so such queries have no count; nor has the
    name of a concept with other words. Alone it has its own line.
    """
    is_ranked = resolved.mode in ("clip", "auto") and resolved.request.sort == "relevance"
    if not is_ranked or not all(isinstance(term.subject, str) for term in resolved.terms):
        return None
    scores = [None if entry.has_every_word else entry.score for entry in ranking.entries]
    if any(notice.code == UNKNOWN_LANGUAGE for notice in notices):
        return relevant_count(scores, math.inf)
    concept = concepts.named_by(resolved.terms)
    if concept is not None:
        return relevant_count(scores, concept.min_score)
    if concepts.are_named(resolved.terms):
        return None
    try:
        value = vector.value
    except InputError:  # the pictures have words that the model does not know
        return None
    return relevance.count(scores, value, encoder.encoder)
