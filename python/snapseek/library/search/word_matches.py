"""Pictures with words of the query in their folder, file name, caption, title or tags, for mode `auto`.

A word that more than a fifth of the pictures have says little and does not count. A picture scores the sum
of the inverse document frequencies of its words. Unlike BM25 no length counts, so only the rows of rare words
are read.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.fulltext import FullTextIndex
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.search.bm25 import query_words, word_forms
from snapseek.library.storage.shards import RowRef

FIELDS = {
    "folder": "folder name",
    "name": "file name",
    "caption": "caption",
    "title": "title",
    "tags": "tag",
}
"""The searched columns, and what people call them."""

_MAX_SHARE = 0.2
_MIN_FREQUENT = 20
"""A word of at most this many pictures counts in a small library, too."""

EVERY_WORD = 1 << 7
"""The bit of rows that have all words of the query but frequent ones."""

_BIT = {name: 1 << number for number, name in enumerate(FIELDS)}


_WordRows = tuple[NDArray[np.int64], NDArray[np.uint8], float]
"""Rows with a word, bits of their fields, and the weight of the word."""


@dataclass(frozen=True)
class WordMatches:
    """Rows of one shard, (n,) rising, their scores, (n,), and bits of the fields with a word, (n,)."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    fields: NDArray[np.uint8]


def field_names(bits: int) -> tuple[str, ...]:
    """Return what people call the fields of `WordMatches.fields`."""
    return tuple(label for name, label in FIELDS.items() if bits & _BIT[name])


def word_matches(
    stores: Sequence[ColumnStore], masks: Sequence[Flags | None], text: str
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
    """
    total = sum(store.rows for store in stores)
    most = max(_MIN_FREQUENT, int(_MAX_SHARE * total))
    found: list[list[_WordRows]] = [[] for _ in stores]
    required = 0
    for word in query_words(text):
        parts = [_rows_with(store, word, most) for store in stores]
        count = sum(len(rows) for rows, _ in parts)
        required += count <= most
        if 0 < count <= most:
            weight = math.log1p((total - count + 0.5) / (count + 0.5))
            for shard, (rows, bits) in zip(found, parts, strict=True):
                shard.append((rows, bits, weight))
    return [_joined(shard, mask, required) for shard, mask in zip(found, masks, strict=True)]


def _rows_with(store: ColumnStore, word: str, most: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the rows with a word, (n,) rising, and bits of the fields; not all beyond `most` rows."""
    rows: list[NDArray[np.int64]] = []
    bits: list[NDArray[np.uint8]] = []
    for name in FIELDS:
        for form in word_forms(word):
            part = _rows_in(store, name, form)
            rows.append(part)
            bits.append(np.full(len(part), _BIT[name], np.uint8))
            if len(part) > most:
                return part, bits[-1]
    together, place = np.unique(np.concatenate(rows), return_inverse=True)
    joined = np.zeros(len(together), np.uint8)
    np.bitwise_or.at(joined, place, np.concatenate(bits))
    return together, joined


def _rows_in(store: ColumnStore, name: str, word: str) -> NDArray[np.int64]:
    index = store.index(name)
    if isinstance(index, FullTextIndex):
        span = index.span(word)
        bitmaps = [np.flatnonzero(flags) for flags in index.bitmap_rows(*span)]
        return np.concatenate([index.rows_of(*span).astype(np.int64), *bitmaps])
    if isinstance(index, LabelListIndex):
        return index.rows_of(index.vocabulary.codes("contains", word)).astype(np.int64)
    if isinstance(index, DictionaryIndex):
        return np.flatnonzero(index.mask("contains", word))
    return np.zeros(0, np.int64)


def best_matches(
    found: Sequence[WordMatches], excluded: Collection[RowRef], preferred: Collection[RowRef], count: int
) -> list[tuple[float, RowRef, int]]:
    """Return score, row and bits of the `count` best matches, best first; of equal ones, those preferred."""
    best: list[tuple[float, bool, RowRef, int]] = []
    for number, part in enumerate(found):
        liked = np.isin(part.rows, [row for shard, row in preferred if shard == number])
        order = np.lexsort((part.rows, ~liked, -part.scores))[: count + len(excluded)]
        columns = (part.scores[order], ~liked[order], part.rows[order], part.fields[order])
        for score, is_other, row, bits in zip(*(column.tolist() for column in columns), strict=True):
            best.append((score, is_other, RowRef(number, row), bits))
    best.sort(key=lambda match: (-match[0], match[1], match[2]))
    return [(score, row, bits) for score, _, row, bits in best if row not in excluded][:count]


def _joined(parts: Sequence[_WordRows], mask: Flags | None, required: int) -> WordMatches:
    rows = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _, _ in parts)])
    together, place = np.unique(rows, return_inverse=True)
    scores = np.zeros(len(together), np.float32)
    fields = np.zeros(len(together), np.uint8)
    if len(rows):
        np.add.at(scores, place, np.concatenate([np.full(len(r), w, np.float32) for r, _, w in parts]))
        np.bitwise_or.at(fields, place, np.concatenate([bits for _, bits, _ in parts]))
        fields[np.bincount(place) == required] |= EVERY_WORD
    if mask is not None:
        kept = mask[together]
        together, scores, fields = together[kept], scores[kept], fields[kept]
    return WordMatches(together, scores, fields)
