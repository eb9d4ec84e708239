"""Pictures with words of the query in folder, name, caption, title, tags or place, for mode `auto`.

A word that more than a fifth of the pictures have says little and does not count. A picture scores the sum
of the inverse document frequencies of its words. No length counts, unlike in BM25.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.fulltext import FullTextIndex
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.search.bm25 import WordStatistics, query_words, word_forms, word_weight
from snapseek.library.storage.rows import RowHits, RowRef

FIELDS = {
    "folder": "folder name",
    "name": "file name",
    "caption": "caption",
    "title": "title",
    "tags": "tag",
    "place": "place",
    "country": "country",
}
"""The searched columns, and what people call them."""

_MAX_SHARE = 0.2
_MIN_FREQUENT = 20
"""A word of at most this many pictures counts in a small library, too."""

EVERY_WORD = 1 << 7
"""The bit of rows that have all words of the query but frequent ones."""

_SHIFT = {name: number for number, name in enumerate(FIELDS)}
FIELD_BITS = {name: 1 << number for name, number in _SHIFT.items()}
MAX_WORDS = 64


_WordBits = tuple[NDArray[np.uint8], float]
"""(rows,) bits of the fields that have a word, and the weight of the word."""


@dataclass(frozen=True)
class WordMatches:
    """Rows of one shard, (n,) rising, their scores, (n,), and bits of the fields with a word, (n,)."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    fields: NDArray[np.uint8]


@lru_cache(1 << len(_SHIFT) + 1)
def field_names(bits: int) -> tuple[str, ...]:
    """Return what people call the fields of `WordMatches.fields`."""
    return tuple(label for name, label in FIELDS.items() if bits & FIELD_BITS[name])


def match_statistics(stores: Sequence[ColumnStore], text: str) -> WordStatistics:
    """Return in how many pictures of the shards with these columns the words of a text are."""
    counts = [
        _count([_fields_with(store, word) for store in stores]) for word in query_words(text)[:MAX_WORDS]
    ]
    return WordStatistics(sum(store.rows for store in stores), 0.0, tuple(counts))


def counts_any(statistics: WordStatistics) -> bool:
    """Return whether a word is in pictures, but in few enough to count."""
    return any(0 < count <= max_rows_of(statistics.rows) for count in statistics.counts)


def word_matches(
    stores: Sequence[ColumnStore],
    masks: Sequence[Flags | None],
    text: str,
    statistics: WordStatistics | None = None,
) -> list[WordMatches]:
    """Return for each shard the rows that have a word of a text.

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
    """
    total = sum(store.rows for store in stores) if statistics is None else statistics.rows
    max_rows = max_rows_of(total)
    found: list[list[_WordBits]] = [[] for _ in stores]
    required = 0
    for number, word in enumerate(query_words(text)[:MAX_WORDS]):
        parts = [_fields_with(store, word) for store in stores]
        count = _count(parts) if statistics is None else statistics.counts[number]
        required += count <= max_rows
        if 0 < count <= max_rows:
            weight = word_weight(total, count)
            for shard, bits in zip(found, parts, strict=True):
                shard.append((bits, weight))
    return [
        _joined(shard, mask, required, store.rows)
        for shard, mask, store in zip(found, masks, stores, strict=True)
    ]


def max_rows_of(total: int) -> int:
    """Return in how many of `total` pictures a word may be to count."""
    return max(_MIN_FREQUENT, int(_MAX_SHARE * total))


def _count(parts: Sequence[NDArray[np.uint8]]) -> int:
    return sum(int(np.count_nonzero(bits)) for bits in parts)


def _fields_with(store: ColumnStore, word: str) -> NDArray[np.uint8]:
    """Return (rows,) bits of the fields that have a word."""
    bits = np.zeros(store.rows, np.uint8)
    for name in FIELDS:
        index = store.index(name)
        for form in word_forms(word):
            if isinstance(index, FullTextIndex):
                span = index.span(form)
                bits[index.rows_of(*span)] |= FIELD_BITS[name]
                for flags in index.bitmap_rows(*span):
                    np.bitwise_or(bits, flags.view(np.uint8) << _SHIFT[name], out=bits)
            elif isinstance(index, LabelListIndex):
                bits[index.rows_of(index.vocabulary.codes("contains", form))] |= FIELD_BITS[name]
            elif isinstance(index, DictionaryIndex) and len(index.vocabulary.codes("contains", form)):
                flags = index.mask("contains", form)
                np.bitwise_or(bits, flags.view(np.uint8) << _SHIFT[name], out=bits)
    return bits


def _joined(parts: Sequence[_WordBits], mask: Flags | None, required: int, rows: int) -> WordMatches:
    """Return the rows with any word; `required` is the number of words that `EVERY_WORD` stands for."""
    fields = np.zeros(rows, np.uint8)
    for bits, _ in parts:
        fields |= bits
    has_any = fields != 0 if mask is None else (fields != 0) & mask
    found = np.flatnonzero(has_any)
    words, scores = np.zeros(len(found), np.uint8), np.zeros(len(found), np.float32)
    for bits, weight in parts:
        has_word = bits[found] != 0
        words += has_word
        scores += np.float32(weight) * has_word
    is_whole = (words == required).astype(np.uint8) * EVERY_WORD
    return WordMatches(found, scores, fields[found] | is_whole)


@dataclass(frozen=True)
class BestMatches:
    """Pictures with words of the query, best first: addresses and scores, and what tells their fields."""

    hits: RowHits
    fields_of: Callable[[RowHits], NDArray[np.uint8]]
    """Returns the bits of the fields that have a word, (n,), for a part of the hits."""
    ranks: NDArray[np.int64] | None = None
    """The index of each hit among the preferred ones, their number for others; None if it was not kept."""

    @classmethod
    def of(cls, matches: Sequence[tuple[float, RowRef, int]]) -> Self:
        """Return matches that are listed by score, address and bits, as `best_matches` does."""
        bits = {row: fields for _, row, fields in matches}
        pairs = np.array([*bits], np.int64).reshape(-1, 2)
        scores = np.array([score for score, _, _ in matches], np.float32)
        hits = RowHits(pairs[:, 0], pairs[:, 1], scores)
        return cls(hits, lambda shown: np.array([bits[row] for row in shown], np.uint8))


def best_matches(
    found: Sequence[WordMatches], excluded: Collection[RowRef], preferred: Collection[RowRef], count: int
) -> list[tuple[float, RowRef, int]]:
    """Return score, row and bits of the `count` best matches, best first; of equal ones, those preferred."""
    best: list[tuple[float, bool, RowRef, int]] = []
    for number, part in enumerate(found):
        liked = np.isin(part.rows, [row for shard, row in preferred if shard == number])
        top = _top(part.scores, liked, count + len(excluded))
        columns = (part.scores[top], ~liked[top], part.rows[top], part.fields[top])
        for score, is_other, row, bits in zip(*(column.tolist() for column in columns), strict=True):
            best.append((score, is_other, RowRef(number, row), bits))
    best.sort(key=lambda match: (-match[0], match[1], match[2]))
    return [(score, row, bits) for score, _, row, bits in best if row not in excluded][:count]


def _top(scores: NDArray[np.float32], liked: Flags, count: int) -> NDArray[np.int64]:
    """Return the places of the `count` best scores; of equal ones, the liked and then the first."""
    if len(scores) <= count:
        return np.arange(len(scores))
    lowest = np.partition(scores, len(scores) - count)[len(scores) - count]
    above = np.flatnonzero(scores > lowest)
    equal = scores == lowest
    last = np.concatenate([np.flatnonzero(equal & liked), np.flatnonzero(equal & ~liked)])
    return np.concatenate([above, last[: count - len(above)]])
