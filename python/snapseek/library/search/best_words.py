"""The best rows by the words of a query, from the bitmaps of the words.

`AutoWords` finds the matches of mode `auto`, `best_by_bm25` the rows that can be the best by BM25.
`word_matches` and `bm25_scores` do the same over all rows, in the obvious way.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapseek._core import best_rows_by_words
from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.fulltext import FullTextIndex
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.columns.postings import Packed, Postings, contains, count, has_rows, packed, united
from snapseek.library.search.bm25 import FIELDS as BM25_FIELDS
from snapseek.library.search.bm25 import (
    WordScores,
    bm25_scores,
    length_factors,
    mean_length,
    query_words,
    word_forms,
    word_lengths,
    word_weight,
)
from snapseek.library.search.word_matches import (
    EVERY_WORD,
    FIELD_BITS,
    MAX_WORDS,
    BestMatches,
    max_rows_of,
)
from snapseek.library.storage.rows import RowHits, RowRef


@dataclass(frozen=True)
class _Fields:
    """The searched columns with the bit of each, and whether columns of few distinct texts count."""

    bits: Mapping[str, int]
    has_dictionaries: bool


_AUTO = _Fields(FIELD_BITS, has_dictionaries=True)
_BM25 = _Fields(dict.fromkeys(BM25_FIELDS, 0), has_dictionaries=False)


@dataclass(frozen=True)
class _ShardWord:
    """A word in one shard: its postings with the bit of their field, and the rows of all of them."""

    postings: Sequence[tuple[int, Postings]]
    bits: Packed

    @classmethod
    def of(cls, store: ColumnStore, word: str, fields: "_Fields") -> "_ShardWord":
        found = []
        for name, bit in fields.bits.items():
            index = store.index(name)
            if isinstance(index, FullTextIndex | LabelListIndex) or (
                isinstance(index, DictionaryIndex) and fields.has_dictionaries
            ):
                found += [(bit, index.postings(form)) for form in word_forms(word)]
        found = [(bit, postings) for bit, postings in found if postings]
        return cls(found, united([postings for _, postings in found], store.rows))

    def fields_of(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the bits of the fields of each of these rows that have the word, (n,)."""
        found = np.zeros(len(rows), np.uint8)
        for bit, postings in self.postings:
            found |= postings.has(rows).astype(np.uint8) * np.uint8(bit)
        return found


class _QueryWords:
    """The words of a query in the shards of a library, as bits of their rows.

    Parameters
    ----------
    stores
        The columns of each shard.
    masks
        For each shard (rows,) bool, the rows that may be found; None for all.
    words
        The words, at most `MAX_WORDS`.
    fields
        The columns that are searched.
    weigh
        Returns the weight of a word by the number of rows and of those with the word; None drops the word.
    """

    def __init__(
        self,
        stores: Sequence[ColumnStore],
        masks: Sequence[Flags | None],
        words: Sequence[str],
        fields: _Fields,
        weigh: Callable[[int, int], float | None],
    ) -> None:
        self._stores = stores
        self._within = [None if mask is None else packed(mask) for mask in masks]
        self.total = sum(store.rows for store in stores)
        found = [[_ShardWord.of(store, word, fields) for store in stores] for word in words]
        self.counts = [sum(count(shard.bits) for shard in shards) for shards in found]
        """The number of rows with each word, those that are dropped too."""
        weights = [weigh(self.total, number) if number else None for number in self.counts]
        self._words = [word for word, weight in zip(found, weights, strict=True) if weight is not None]
        self._weights = [weight for weight in weights if weight is not None]

    def has_any(self, shard: int) -> bool:
        """Return whether a row of a shard that may be found has a word."""
        within = self._within[shard]
        bits = (word[shard].bits for word in self._words)
        return any((found if within is None else found & within).any() for found in bits)

    def best(
        self,
        shard: int,
        wanted: int,
        *,
        factors: NDArray[np.float32] | None = None,
        ids: NDArray[np.int64] | None = None,
    ) -> WordScores:
        """Return the best rows of a shard, best first.

        Parameters
        ----------
        shard
            The number of the shard.
        wanted
            How many to return.
        factors
            The factor of each length of a text, from 0 on.
        ids
            What decides between equal scores, (rows,); by default the rows.
        """
        store = self._stores[shard]
        rows, scores = best_rows_by_words(
            [word[shard].bits for word in self._words],
            np.array(self._weights, np.float32),
            wanted,
            rows=store.rows,
            within=self._within[shard],
            lengths=None if factors is None else word_lengths(store),
            factors=factors,
            ids=ids,
        )
        return WordScores(rows, scores)

    def scores(self, shard: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores of rows, (n,); 0 for those without a word, and those that may not be found."""
        found = np.zeros(len(rows), np.float32)
        for word, weight in zip(self._words, self._weights, strict=True):
            found += np.float32(weight) * has_rows(word[shard].bits, rows)
        within = self._within[shard]
        return found if within is None else found * has_rows(within, rows)

    def fields(self, shard: int, rows: NDArray[np.int64], required: int) -> NDArray[np.uint8]:
        """Return for each row the bits of the fields that have a word, as `WordMatches.fields` has them."""
        found = np.zeros(len(rows), np.uint8)
        for word in self._words:
            found |= word[shard].fields_of(rows)
        counts = [has_rows(word[shard].bits, rows).astype(np.uint8) for word in self._words]
        found[np.sum(counts, axis=0, dtype=np.uint8) == required] |= EVERY_WORD
        return found


class AutoWords:
    """The words of a query for mode `auto`. False if no row that may be found has one.

    Parameters
    ----------
    stores, masks, text
        As for `word_matches`.
    """

    def __init__(self, stores: Sequence[ColumnStore], masks: Sequence[Flags | None], text: str) -> None:
        self._shards = range(len(stores))
        self._words = _QueryWords(stores, masks, query_words(text)[:MAX_WORDS], _AUTO, _auto_weight)
        max_rows = max_rows_of(self._words.total)
        self._required = sum(number <= max_rows for number in self._words.counts)

        self._is_found = any(map(self._words.has_any, self._shards))

    def __bool__(self) -> bool:
        return self._is_found

    def best(self, wanted: int, preferred: RowHits, excluded: Collection[RowRef] = ()) -> BestMatches:
        """Return the best rows.

        Parameters
        ----------
        wanted
            How many to return: by score, then preferred ones, then by shard and row.
        preferred
            The preferred rows.
        excluded
            The rows that are left out.
        """
        parts = [self._best_of(shard, wanted + len(excluded), preferred) for shard in self._shards]
        numbers = np.repeat(np.arange(len(parts)), [len(part.rows) for part, _ in parts])
        rows = np.concatenate([np.zeros(0, np.int64), *(part.rows for part, _ in parts)])
        scores = np.concatenate([np.zeros(0, np.float32), *(part.scores for part, _ in parts)])
        ranks = np.concatenate([np.zeros(0, np.int64), *(ranks for _, ranks in parts)])
        hits = RowHits(numbers, rows, scores)
        is_other = ranks == len(preferred)
        order = np.lexsort((hits.keys(), is_other, -scores))[: wanted + len(excluded)]
        if excluded:
            order = order[np.array([row not in excluded for row in hits[order]], np.bool_)]
        order = order[:wanted]
        return BestMatches(hits[order], self.fields, ranks[order])

    def fields(self, hits: RowHits) -> NDArray[np.uint8]:
        """Return for each row the bits of the fields that have a word, as `WordMatches.fields` has them."""
        found = np.zeros(len(hits), np.uint8)
        for shard in self._shards:
            here = hits.shards == shard
            found[here] = self._words.fields(shard, hits.rows[here], self._required)
        return found

    def _best_of(self, shard: int, wanted: int, preferred: RowHits) -> tuple[WordScores, NDArray[np.int64]]:
        """Return the rows of a shard that can be among the best, and the rank of each as of `BestMatches`."""
        best = self._words.best(shard, wanted)
        ranks = np.flatnonzero(preferred.shards == shard)
        ranks = ranks[np.argsort(preferred.rows[ranks])]
        scores = self._words.scores(shard, preferred.rows[ranks])
        ranks, scores = ranks[scores > 0], scores[scores > 0]
        liked = preferred.rows[ranks]
        is_other = ~contains(liked, best.rows)
        others = best.rows[is_other]
        found = WordScores(np.concatenate([liked, others]), np.concatenate([scores, best.scores[is_other]]))
        return found, np.concatenate([ranks, np.full(len(others), len(preferred))])


def _auto_weight(total: int, number: int) -> float | None:
    return word_weight(total, number) if number <= max_rows_of(total) else None


def best_by_bm25(
    stores: Sequence[ColumnStore],
    ids: Sequence[NDArray[np.int64]],
    masks: Sequence[Flags | None],
    text: str,
    wanted: int,
) -> list[WordScores]:
    """Return for each shard the best rows by BM25: all that can be among the best of all shards.

    Parameters
    ----------
    stores, masks, text
        As for `bm25_scores`.
    ids
        For each shard the ids of its rows, which decide between equal scores.
    wanted
        How many are the best.
    """
    listed = query_words(text)
    if len(listed) > MAX_WORDS:
        return bm25_scores(stores, masks, text)
    words = _QueryWords(stores, masks, listed, _BM25, word_weight)
    mean = mean_length(stores)
    return [
        words.best(shard, wanted, factors=_factors(store, mean), ids=ids[shard])
        for shard, store in enumerate(stores)
    ]


def _factors(store: ColumnStore, mean: float) -> NDArray[np.float32]:
    """Return the factor of each length of a text in a shard, from 0 on; none exceeds that of the shortest."""
    shortest, longest = store.derived("lengths", _extremes)
    return length_factors(np.maximum(np.arange(longest + 1), shortest).astype(np.uint16), mean)


def _extremes(store: ColumnStore) -> tuple[int, int]:
    """Return the lengths of the shortest and of the longest text."""
    lengths = word_lengths(store)
    return (int(lengths.min()), int(lengths.max())) if len(lengths) else (0, 0)
