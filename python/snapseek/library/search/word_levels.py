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


@dataclass(frozen=True)
class _Part:
    """The rows of another part with or without a word, found out when its turn comes."""

    score: np.float32
    words: int
    parent: Packed
    word: Packed
    has_word: bool

    def split(self) -> Packed:
        """Return the rows."""
        having = self.parent & self.word
        return having if self.has_word else np.bitwise_xor(self.parent, having, out=having)


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
    if not any_word.any():
        return
    order = sorted(range(len(words)), key=lambda word: -weights[word])
    left = np.cumsum([0.0, *(weights[word] for word in reversed(order))])[::-1].tolist()
    serial = counting()
    waiting: list[tuple[float, int, int, Level | _Part]] = []

    def push(depth: int, part: "Level | _Part") -> None:
        bound = float(part.score) if depth == len(words) else (float(part.score) + left[depth]) * _ROUNDING
        heappush(waiting, (-bound, next(serial), depth, part))

    push(0, _Part(np.float32(0), 0, any_word, any_word, has_word=True))
    splits = 0
    while waiting:
        _, _, depth, part = heappop(waiting)
        if isinstance(part, Level):
            yield part
            continue
        bits = part.split()
        if not bits.view(np.uint64).any():
            continue
        splits += 1
        is_small = len(words) - depth > 1 and count(bits) <= _MAX_RESOLVED
        if depth == len(words):
            yield Level(part.score, part.words, bits)
        elif is_small or splits > _MAX_SPLITS:
            for level in _resolved(bits, part.words, words, weights, order[depth:]):
                push(len(words), level)
        else:
            word = words[order[depth]]
            for has_word, mask in ((True, part.words | 1 << order[depth]), (False, part.words)):
                (score,) = word_scores(weights, np.array([mask], np.uint64))
                push(depth + 1, _Part(score, mask, bits, word, has_word))


def word_scores(weights: Sequence[float], masks: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return the sum of the weights of the words of each mask, (n,), added in the order of the words."""
    scores = np.zeros(len(masks), np.float32)
    for word, weight in enumerate(weights):
        scores += np.float32(weight) * (masks >> np.uint64(word) & np.uint64(1)).astype(np.float32)
    return scores


def _resolved(
    bits: Packed, known: int, words: Sequence[Packed], weights: Sequence[float], remaining: Sequence[int]
) -> Iterator[Level]:
    """Yield the levels within a part whose rows have the known words, by looking at each of its rows."""
    rows = rows_of(bits)
    masks = np.full(len(rows), known, np.uint64)
    for word in remaining:
        masks |= has_rows(words[word], rows).astype(np.uint64) << np.uint64(word)
    order = np.argsort(masks, kind="stable")
    distinct, starts = np.unique(masks[order], return_index=True)
    parts = np.split(rows[order], starts[1:])
    for score, mask, part in zip(word_scores(weights, distinct), distinct.tolist(), parts, strict=True):
        yield Level(score, mask, None, part)
