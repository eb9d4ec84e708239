"""BM25 ranking: pictures whose captions, titles, file names and tags have the words of the query.

Okapi BM25 (Robertson and Zaragoza 2009), where every word counts once a picture. A word also matches its
plural and singular in -s. Stop words count only in a query of nothing else.
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
_MIN_PLURAL_LENGTH = 4


@dataclass(frozen=True)
class WordScores:
    """Rows of one shard with a word of the query, (n,) rising, and their BM25 scores, (n,) float32."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class WordStatistics:
    """What the weights of words derive from; those of several libraries can be summed.

    `rows` is the number of pictures, `length` that of the words in their full texts, and `counts` the number
    of pictures with each word of the query.
    """

    rows: int
    length: float
    counts: tuple[int, ...]

    @property
    def mean_length(self) -> float:
        """The mean number of words in the full-text fields, 1 at least."""
        return max(self.length / max(1, self.rows), 1.0)


def query_words(text: str) -> list[str]:
    """Return the different words of a text that are searched for."""
    words = list(dict.fromkeys(words_of(text)))
    return [word for word in words if word not in _STOP_WORDS] or words


def word_statistics(stores: Sequence[ColumnStore], text: str) -> WordStatistics:
    """Return the statistics of the words of a text over the shards with these columns."""
    matches = [[_rows_with(store, word) for word in query_words(text)] for store in stores]
    return _statistics(matches, stores)


def bm25_scores(
    stores: Sequence[ColumnStore],
    masks: Sequence[Flags | None],
    text: str,
    statistics: WordStatistics | None = None,
) -> list[WordScores]:
    """Score the pictures that have a word of a text.

    score = sum over words of idf(word) * (k1 + 1) / (1 + k1 * (1 - b + b * length / mean length))

    Parameters
    ----------
    stores
        The columns of each shard.
    masks
        For each shard (rows,) bool, the rows that may be found; None for all.
    text
        The words.
    statistics
        Those of a collection that the shards are a part of; by default those of the shards.

    Returns
    -------
    list of WordScores
        For each shard the rows of the mask that have a word.
    """
    matches = [[_rows_with(store, word) for word in query_words(text)] for store in stores]
    known = statistics or _statistics(matches, stores)
    weights = [word_weight(known.rows, count) for count in known.counts]
    mean = known.mean_length
    return [
        _scores(shard, weights, length_factors(word_lengths(store), mean), mask)
        for shard, store, mask in zip(matches, stores, masks, strict=True)
    ]


def _statistics(matches: Sequence[Sequence[Flags]], stores: Sequence[ColumnStore]) -> WordStatistics:
    counts = [sum(map(int, map(np.count_nonzero, shards))) for shards in zip(*matches, strict=True)]
    return WordStatistics(sum(store.rows for store in stores), _length(stores), tuple(counts))


def _rows_with(store: ColumnStore, word: str) -> Flags:
    """Return (rows,) flags of the rows with the word in any field."""
    parts: list[Flags] = []
    for name in FIELDS:
        index = store.index(name)
        for form in word_forms(word):
            if isinstance(index, FullTextIndex):
                parts.append(index.flags_of(form))
            elif isinstance(index, LabelListIndex):
                parts.append(index.mask("contains", form))
    return any_of(parts, store.rows)


def word_forms(word: str) -> list[str]:
    """Return the word, and the word with or without the -s of a plural."""
    if len(word) < _MIN_PLURAL_LENGTH - 1 or not word.isalpha():
        return [word]
    is_plural = word.endswith("s") and len(word) >= _MIN_PLURAL_LENGTH
    return [word, word[:-1]] if is_plural else [word, word + "s"]


def word_weight(total: int, count: int) -> float:
    """Return the inverse document frequency of a word that `count` of `total` pictures have."""
    return math.log1p((total - count + 0.5) / (count + 0.5))


def word_lengths(store: ColumnStore) -> NDArray[np.uint16]:
    """Return (rows,) uint16, the number of words in the full-text fields of each row, up to 65,535."""
    return store.derived("word lengths", _word_lengths)


def _word_lengths(store: ColumnStore) -> NDArray[np.uint16]:
    length = np.zeros(store.rows, np.int64)
    for name in FIELDS:
        index = store.index(name)
        if isinstance(index, FullTextIndex):
            length += index.lengths()
    return np.minimum(length, np.iinfo(np.uint16).max).astype(np.uint16)


def _word_count(store: ColumnStore) -> int:
    return int(word_lengths(store).sum(dtype=np.int64))


def _length(stores: Sequence[ColumnStore]) -> float:
    return sum(store.derived("word count", _word_count) for store in stores)


def mean_length(stores: Sequence[ColumnStore]) -> float:
    """Return the mean number of words in the full-text fields, 1 at least."""
    return WordStatistics(sum(store.rows for store in stores), _length(stores), ()).mean_length


def length_factors(lengths: NDArray[np.uint16], mean: float) -> NDArray[np.float32]:
    """Return by what the weights of the words are multiplied in texts of these lengths, (n,) float32."""
    relative = lengths.astype(np.float32) / np.float32(mean)
    return np.float32(_K1 + 1) / (1 + np.float32(_K1) * (np.float32(1 - _B) + np.float32(_B) * relative))


def _scores(
    matches: Sequence[Flags], weights: Sequence[float], factors: NDArray[np.float32], mask: Flags | None
) -> WordScores:
    """Score one shard; `factors` are those of the lengths of its rows."""
    found = any_of(matches, len(factors))
    rows = np.flatnonzero(found if mask is None else found & mask)
    sums = np.zeros(len(rows), np.float32)
    for match, weight in zip(matches, weights, strict=True):
        sums += np.float32(weight) * match[rows]
    return WordScores(rows, sums * factors[rows])
