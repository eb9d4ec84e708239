"""The rows with words of a query, from the best combination of words to the worst.

A row scores the sum of the weights of its words, so all rows with the same words are one *level*. A
best-first search splits the rows with any word by one word after the other, heaviest first. Its bound of a
part is the score of the words that all its rows have, and the weights of those not looked at yet. So the best
levels come out without a look at the rows of the others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count as counting

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.postings import Packed, count, first_rows, has_rows, rows_of

_ROUNDING = 1 + 1e-5
"""Bounds of float64 times this are not below a sum of up to 64 weights in float32."""

_MAX_RESOLVED = 4096
"""A part of at most this many rows is not split further: each of its rows is looked at."""

_MAX_SPLITS = 256
"""After so many splits no part is split further: the number of combinations of many words has no bound."""

MAX_WORDS = 64
"""The bits of a mask of words."""


@dataclass(frozen=True)
class Level:
    """All rows with the same words: as packed bits, or as a rising array."""

    score: np.float32
    words: int
    """The words as bits, the first word in bit 0."""
    bits: Packed | None
    rows: NDArray[np.int64] | None = None

    def first(self, limit: int) -> NDArray[np.int64]:
        """Return the first rows, at most `limit`."""
        if self.rows is not None:
            return self.rows[:limit]
        assert self.bits is not None
        return first_rows(self.bits, limit)


def levels(words: Sequence[Packed], weights: Sequence[float], any_word: Packed) -> Iterator[Level]:
    """Yield the levels of a shard with falling score.

    Parameters
    ----------
    words
        The rows with each word, as packed bits.
    weights
        The weight of each word, positive.
    any_word
        The rows to look at, each with a word at least.
    """
    order = sorted(range(len(words)), key=lambda word: -weights[word])
    left = np.cumsum([0.0, *(weights[word] for word in reversed(order))])[::-1].tolist()
    serial = counting()
    waiting: list[tuple[float, int, int, Level]] = []

    def push(depth: int, level: Level) -> None:
        bound = float(level.score)
        if depth < len(words):
            bound = (bound + left[depth]) * _ROUNDING
        heappush(waiting, (-bound, next(serial), depth, level))

    splits = 0
    if not any_word.any():
        return
    push(0, Level(np.float32(0), 0, any_word))
    while waiting:
        _, _, depth, level = heappop(waiting)
        if depth == len(words):
            yield level
            continue
        assert level.bits is not None
        splits += 1
        is_small = len(words) - depth > 1 and count(level.bits) <= _MAX_RESOLVED
        if is_small or splits > _MAX_SPLITS:
            for part in _resolved(level, words, weights, order[depth:]):
                push(len(words), part)
            continue
        having = level.bits & words[order[depth]]
        lacking = level.bits ^ having
        for bits, mask in ((having, level.words | 1 << order[depth]), (lacking, level.words)):
            if bits.view(np.uint64).any():
                (score,) = word_scores(weights, np.array([mask], np.uint64))
                push(depth + 1, Level(score, mask, bits))


def word_scores(weights: Sequence[float], masks: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return the sum of the weights of the words of each mask, (n,), added in the order of the words."""
    scores = np.zeros(len(masks), np.float32)
    for word, weight in enumerate(weights):
        scores += np.float32(weight) * (masks >> np.uint64(word) & np.uint64(1)).astype(np.float32)
    return scores


def _resolved(
    level: Level, words: Sequence[Packed], weights: Sequence[float], remaining: Sequence[int]
) -> Iterator[Level]:
    """Yield the levels within a part, by looking at each of its rows."""
    assert level.bits is not None
    rows = rows_of(level.bits)
    masks = np.full(len(rows), level.words, np.uint64)
    for word in remaining:
        masks |= has_rows(words[word], rows).astype(np.uint64) << np.uint64(word)
    order = np.argsort(masks, kind="stable")
    distinct, starts = np.unique(masks[order], return_index=True)
    parts = np.split(rows[order], starts[1:])
    for score, mask, part in zip(word_scores(weights, distinct), distinct.tolist(), parts, strict=True):
        yield Level(score, mask, None, part)
