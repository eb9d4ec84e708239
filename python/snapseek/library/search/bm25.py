"""Pictures ranked by words: those of the query that stand in captions, titles, file names and tags.

Okapi BM25 (Robertson and Zaragoza 2009) with every word counted once a picture. A word also finds its plural
and singular in -s. Words that are in every other sentence count only where there are no others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags, any_of
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.columns.fulltext import FullTextIndex
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.filters.text_normalize import words_of

FIELDS = ("caption", "title", "name", "tags")
_STOP_WORDS = frozenset(
    words_of(
        "a an and are at be by for from i in is it its me my of on or our some that the their there this to "
        "we with photo photos picture pictures image images"
    )
)
_K1, _B = 1.2, 0.4
_SHORTEST_PLURAL = 4


@dataclass(frozen=True)
class WordScores:
    """Rows of one shard with a word of the query, (n,) rising, and how well they fit, (n,) float32."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


def wanted_words(text: str) -> list[str]:
    """The different words of a text that are to be looked for."""
    words = list(dict.fromkeys(words_of(text)))
    return [word for word in words if word not in _STOP_WORDS] or words


def bm25_scores(
    stores: Sequence[ColumnStore], allowed: Sequence[Flags | None], text: str
) -> list[WordScores]:
    """For each shard the allowed rows that have a word of `text`, with their scores."""
    words = wanted_words(text)
    having = [[_having(store, word) for word in words] for store in stores]
    total = sum(store.rows for store in stores)
    weights = [
        _rarity(total, sum(int(np.count_nonzero(shard[place])) for shard in having))
        for place in range(len(words))
    ]
    lengths = [_lengths(store) for store in stores]
    mean = sum(float(part.sum()) for part in lengths) / max(1, total)
    return [
        _summed(flags, weights, length / max(mean, 1.0), shown)
        for flags, length, shown in zip(having, lengths, allowed, strict=True)
    ]


def _having(store: ColumnStore, word: str) -> Flags:
    """(rows,) which have the word in any field."""
    parts: list[Flags] = []
    for field in FIELDS:
        facet = store.index(field)
        for form in _forms(word):
            if isinstance(facet, FullTextIndex):
                parts.append(facet.flags_of(form))
            elif isinstance(facet, LabelListIndex):
                parts.append(facet.mask("contains", form))
    return any_of(parts, store.rows)


def _forms(word: str) -> list[str]:
    """The word, and with or without the -s of a plural."""
    if len(word) < _SHORTEST_PLURAL - 1 or not word.isalpha():
        return [word]
    return [word, word[:-1]] if word.endswith("s") and len(word) >= _SHORTEST_PLURAL else [word, word + "s"]


def _rarity(total: int, having: int) -> float:
    return math.log1p((total - having + 0.5) / (having + 0.5))


def _lengths(store: ColumnStore) -> NDArray[np.float32]:
    """(rows,) how many words are in the fields of each row that have words."""
    length = np.zeros(store.rows, np.float32)
    for field in FIELDS:
        facet = store.index(field)
        if isinstance(facet, FullTextIndex):
            length += facet.lengths()
    return length


def _summed(
    flags: Sequence[Flags], weights: Sequence[float], length: NDArray[np.float32], allowed: Flags | None
) -> WordScores:
    found = any_of(flags, len(length))
    rows = np.flatnonzero(found if allowed is None else found & allowed)
    sums = np.zeros(len(rows), np.float32)
    for mine, weight in zip(flags, weights, strict=True):
        sums += np.float32(weight) * mine[rows]
    return WordScores(rows, sums * (_K1 + 1) / (1 + _K1 * (1 - _B + _B * length[rows])))
