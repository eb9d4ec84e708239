"""The best rows by the words of a query, found level by level: see `word_levels`.

`AutoWords` and `best_by_bm25` return the rows that can be among the best, and some more, for the caller to
choose from. `word_matches` and `bm25_scores` are the same over all rows, in the obvious way.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.fulltext import FullTextIndex
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.columns.postings import Packed, Postings, count, has_rows, no_rows, packed, rows_of
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
from snapseek.library.search.word_levels import MAX_WORDS, Level, levels, word_scores
from snapseek.library.search.word_matches import (
    EVERY_WORD,
    FIELD_BITS,
    BestMatches,
    max_rows_of,
)
from snapseek.library.storage.shards import RowHits, RowRef

_MAX_GATHERED = 32_768
"""Of a level of at most this many rows all are taken; in a larger one the first in order are looked for."""

_FIRST_PROBE = 1.5
"""How many times the expected number of rows is probed at once."""


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
        bits = no_rows(store.rows)
        for _, postings in found:
            postings.add_to(bits, store.rows)
        return cls(found, bits)

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

    def any_word(self, shard: int) -> Packed:
        """Return the rows of a shard that may be found and have a word."""
        found = no_rows(self._stores[shard].rows)
        for word in self._words:
            np.bitwise_or(found, word[shard].bits, out=found)
        within = self._within[shard]
        return found if within is None else found & within

    def levels(self, shard: int) -> Iterator[Level]:
        """Return the levels of a shard, best first."""
        return levels([word[shard].bits for word in self._words], self._weights, self.any_word(shard))

    def scored(self, shard: int, rows: NDArray[np.int64]) -> WordScores:
        """Return the scores of rows of a shard."""
        return WordScores(rows, word_scores(self._weights, self._masks(shard, rows)))

    def fields(self, shard: int, rows: NDArray[np.int64], required: int) -> NDArray[np.uint8]:
        """Return for each row the bits of the fields that have a word, as `WordMatches.fields` has them."""
        found = np.zeros(len(rows), np.uint8)
        for word in self._words:
            found |= word[shard].fields_of(rows)
        is_whole = np.bitwise_count(self._masks(shard, rows)) == required
        found[is_whole] |= EVERY_WORD
        return found

    def _masks(self, shard: int, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the words of each row as bits, (n,)."""
        masks = np.zeros(len(rows), np.uint64)
        for number, word in enumerate(self._words):
            masks |= has_rows(word[shard].bits, rows).astype(np.uint64) << np.uint64(number)
        return masks


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

        self._is_found = any(self._words.any_word(shard).any() for shard in self._shards)

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
        found = [self._best_of(shard, wanted + len(excluded), preferred) for shard in self._shards]
        numbers = np.repeat(np.arange(len(found)), [len(part.rows) for part in found])
        rows = np.concatenate([np.zeros(0, np.int64), *(part.rows for part in found)])
        scores = np.concatenate([np.zeros(0, np.float32), *(part.scores for part in found)])
        hits = RowHits(numbers, rows, scores)
        keys = hits.keys()
        order = np.lexsort((keys, ~np.isin(keys, preferred.keys()), -scores))[: wanted + len(excluded)]
        hits = hits[order]
        if excluded:
            hits = hits[np.array([row not in excluded for row in hits], np.bool_)]
        return BestMatches(hits[:wanted], self.fields)

    def fields(self, hits: RowHits) -> NDArray[np.uint8]:
        """Return for each row the bits of the fields that have a word, as `WordMatches.fields` has them."""
        found = np.zeros(len(hits), np.uint8)
        for shard in self._shards:
            here = hits.shards == shard
            found[here] = self._words.fields(shard, hits.rows[here], self._required)
        return found

    def _best_of(self, shard: int, wanted: int, preferred: RowHits) -> WordScores:
        """Return the rows of a shard that can be among the best, and more."""
        liked = preferred.rows[preferred.shards == shard]
        rows = [liked[has_rows(self._words.any_word(shard), liked)]]
        missing, last = wanted, None
        for level in self._words.levels(shard):
            if missing <= 0 and level.score != last:
                break
            part = level.first(wanted)  # levels of one score tie: the first rows of each can be the best
            rows.append(part)
            missing -= len(part)
            last = level.score
        return self._words.scored(shard, np.unique(np.concatenate(rows)))


def _auto_weight(total: int, number: int) -> float | None:
    return word_weight(total, number) if number <= max_rows_of(total) else None


def best_by_bm25(
    stores: Sequence[ColumnStore],
    orders: Sequence[NDArray[np.int64]],
    masks: Sequence[Flags | None],
    text: str,
    wanted: int,
) -> list[WordScores]:
    """Return for each shard all rows that can be among the best by `bm25_scores`, and more.

    Parameters
    ----------
    stores, masks, text
        As for `bm25_scores`.
    orders
        For each shard its rows by rising id, which decides between equal scores.
    wanted
        How many are the best.
    """
    listed = query_words(text)
    if len(listed) > MAX_WORDS:
        return bm25_scores(stores, masks, text)
    words = _QueryWords(stores, masks, listed, _BM25, word_weight)
    mean = mean_length(stores)
    return [
        _best_scores(words, shard, word_lengths(store), _by_length(store, order), mean, wanted)
        for shard, (store, order) in enumerate(zip(stores, orders, strict=True))
    ]


def _by_length(store: ColumnStore, order: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the rows of a shard by rising length, ties by id."""
    return store.derived(
        "rows by length",
        lambda _: order[np.argsort(word_lengths(store)[order], kind="stable")].astype(np.int32),
    )


def _best_scores(
    words: _QueryWords,
    shard: int,
    lengths: NDArray[Any],
    by_length: NDArray[np.int32],
    mean: float,
    wanted: int,
) -> WordScores:
    """Return the rows of one shard that can be among the best, with their scores."""
    rows, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    shortest = length_factors(lengths[by_length[:1]], mean)
    for level in words.levels(shard):
        best = np.concatenate(scores)
        if len(best) >= wanted:
            last = np.partition(best, len(best) - wanted)[len(best) - wanted]
            if float((level.score * shortest)[0]) * (1 + 1e-5) < last:
                break
        part = _first_in(level, by_length, wanted)
        rows.append(part)
        scores.append(level.score * length_factors(lengths[part], mean))
    order = np.argsort(np.concatenate(rows), kind="stable")
    return WordScores(np.concatenate(rows)[order], np.concatenate(scores)[order])


def _first_in(level: Level, order: NDArray[np.int32], wanted: int) -> NDArray[np.int64]:
    """Return the rows of a level that are first in an order: at least `wanted` of them, or all."""
    if level.rows is not None:
        return level.rows
    assert level.bits is not None
    size = count(level.bits)
    if size <= max(wanted, _MAX_GATHERED):
        return rows_of(level.bits)
    found: list[NDArray[np.int64]] = []
    start, missing = 0, wanted
    while missing > 0 and start < len(order):
        end = start + int(_FIRST_PROBE * missing * len(order) / size) + 64
        probed = order[start:end].astype(np.int64)
        found.append(probed[has_rows(level.bits, probed)])
        missing -= len(found[-1])
        start = end
    return np.concatenate(found)
