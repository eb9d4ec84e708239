"""The index of a column of lists of labels."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import DictionaryMixin, Flags, Rows, codes_of
from snapseek.library.columns.postings import Packed, Postings, united

_LONG = 16_384
"""Longer lists of rows are searched for words as bitmaps."""

_KEPT_BITMAPS = 64
"""Each takes an eighth of a byte a row: 12 MB together for 1.5 million rows."""


@dataclass(frozen=True)
class LabelListIndex(DictionaryMixin):
    """An inverted index of lists of texts: for each text the rows that have it."""

    starts: NDArray[np.int64]
    """(texts + 1,) offsets of the rows of each text in `rows`."""
    rows: Rows
    present: Flags
    """(rows of the shard,) whether a row has a list that is not empty."""
    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    shown_text: NDArray[np.uint8]
    shown_ends: NDArray[np.int64]

    def counts(self, mask: Flags | None = None) -> NDArray[np.int64]:
        """Return how many rows have each text, (texts,) int64; only rows in `mask` if it is passed."""
        if mask is None:
            return np.diff(self.starts)
        return np.diff(np.concatenate([[0], np.cumsum(mask[self.rows])])[self.starts])

    def rows_of(self, codes: NDArray[np.int64]) -> Rows:
        """Return the rows with any of these texts, unordered and possibly repeated."""
        parts = [self.rows[self.starts[code] : self.starts[code + 1]] for code in codes]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)

    def postings(self, word: str) -> Postings:
        """Return the rows with a text that has a word."""
        codes = self.vocabulary.codes_with_word(word).tolist()
        lists = [self.rows[self.starts[code] : self.starts[code + 1]] for code in codes]
        bitmaps = [self._bitmap(code) for code, rows in zip(codes, lists, strict=True) if len(rows) > _LONG]
        return Postings([rows for rows in lists if len(rows) <= _LONG], bitmaps)

    @cached_property
    def _bitmap(self) -> Callable[[int], Packed]:
        """Returns the rows of a frequent text as packed bits; those of recent ones are kept."""
        return lru_cache(_KEPT_BITMAPS)(self._packed)

    def _packed(self, code: int) -> Packed:
        return united([Postings([self.rows[self.starts[code] : self.starts[code + 1]]])], len(self.present))

    def mask(self, operator: str, value: Any) -> Flags:
        """See `ColumnIndex`."""
        if operator == "exists":
            return self.present
        found = np.zeros(len(self.present), np.bool_)
        found[self.rows_of(codes_of(self.vocabulary, operator, value))] = True
        return found
