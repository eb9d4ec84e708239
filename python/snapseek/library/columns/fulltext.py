"""The full-text index of a column: an inverted index with the token stream of each row.

Words are sorted, so that a prefix is a range of codes. The rows of a frequent word are a bitmap, those of
others a list. Conditions that words cannot decide are checked against the texts of the candidate rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags, Rows
from snapseek.library.columns.postings import Postings
from snapseek.library.columns.term_dictionary import TermDictionary, flags_of, pattern_of, within
from snapseek.library.filters.text_normalize import casefold_texts, spaced, words_of
from snapseek.library.records.arrow_file import Records

_compute: Any = pc
_NO_ROWS = np.zeros(0, np.int32)


@dataclass(frozen=True)
class TextScan:
    """A column of texts without an index: every condition reads all of it."""

    records: Records
    column: str

    def mask(self, operator: str, value: Any) -> Flags:
        """See `ColumnIndex`."""
        parts = [_holds(texts, operator, value) for texts in self.records.column(self.column)]
        return np.concatenate([np.zeros(0, np.bool_), *parts])

    def mask_of_rows(self, rows: Rows, operator: str, value: Any) -> Flags:
        """Return whether these ascending rows fulfil the condition, (n,) bool."""
        return _holds(self.records.texts(self.column, rows), operator, value)


def _holds(texts: Any, operator: str, value: Any) -> Flags:
    if operator == "exists":
        return flags_of(_compute.is_valid(texts))
    plain = casefold_texts(texts)
    if operator == "in":
        return flags_of(_compute.is_in(plain, value_set=pa.array(value, plain.type))) & flags_of(
            _compute.is_valid(texts)
        )
    if operator == "contains":
        return flags_of(_compute.match_substring(spaced(plain), pattern_of(value)))
    if operator == "within":
        return flags_of(within(plain, value))
    return flags_of(_COMPARED[operator](plain, value))


_COMPARED: dict[str, Any] = {
    "=": _compute.equal,
    "<": _compute.less,
    "<=": _compute.less_equal,
    ">": _compute.greater,
    ">=": _compute.greater_equal,
    "prefix": _compute.starts_with,
}


@dataclass(frozen=True)
class FullTextArrays:
    """The arrays of a full-text index."""

    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    """The words, a `TermDictionary`; codes count from 0, but in `stream` from 1."""
    starts: NDArray[np.int64]
    """(words + 1,) offsets of each word's rows in `rows`; words with a bitmap have none there."""
    rows: Rows
    bits: NDArray[np.uint8]
    """The bitmaps of frequent words, each (rows + 7) // 8 bytes, the first row in the top bit."""
    bitmap_slot: NDArray[np.int32]
    """(words,) the number of each word's bitmap, or -1. Stored as `places`."""
    stream: NDArray[Any]
    """The token stream: the codes of all words of all rows in order, unsigned."""
    begins: NDArray[np.int64]
    """(rows + 1,) offset of each row in `stream`."""
    present: Flags
    """(rows,) whether a row has a text."""

    def __post_init__(self) -> None:
        """Raise ValueError for rows beyond the last, which a damaged file may have."""
        if len(self.rows) and int(self.rows.max()) >= len(self.present):
            raise ValueError("rows beyond the last")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by the names that a file has."""
        return {
            _STORED_NAMES.get(field.name, field.name): getattr(self, field.name) for field in fields(self)
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return an index of the arrays of a file."""
        names = {_STORED_NAMES.get(field.name, field.name): field.name for field in fields(cls)}
        return cls(**{names[name]: array for name, array in arrays.items()})


_STORED_NAMES = {"bitmap_slot": "places"}
"""Where the name of an array in a file differs from that of its field."""


class FullTextIndex:
    """A column of texts that is searched by words."""

    def __init__(self, index: FullTextArrays, texts: TextScan) -> None:
        """`texts` is the column that `index` was built from."""
        self.index = index
        self._texts = texts
        self._row_bytes = (len(index.present) + 7) // 8

    @cached_property
    def vocabulary(self) -> TermDictionary:
        """The distinct words."""
        return TermDictionary(self.index.text, self.index.ends)

    def lengths(self) -> NDArray[np.int64]:
        """Return the number of words of each row, (rows,) int64."""
        return np.diff(self.index.begins)

    def mask(self, operator: str, value: Any) -> Flags:
        """See `ColumnIndex`."""
        if operator == "exists":
            return self.index.present
        if operator == "contains":
            return self._contain(value)
        words = words_of(value) if operator in ("=", "prefix") else []
        if operator == "prefix" and words:  # the last word may be incomplete
            words[-1] += "*"
        if not words:
            return self._texts.mask(operator, value)
        found = self._have_all(words)
        rows = np.flatnonzero(found).astype(np.int32)
        found[rows] = self._texts.mask_of_rows(rows, operator, value)
        return found

    def _contain(self, value: str) -> Flags:
        words = value.split()
        found = self._have_all(words)
        if len(words) > 1:
            rows = np.flatnonzero(found)
            found[rows] = self._in_sequence(rows, [self.span(word) for word in words])
        return found

    def _have_all(self, words: list[str]) -> Flags:
        found = self.flags_of(words[0])
        for word in words[1:]:
            np.logical_and(found, self.flags_of(word), out=found)
        return found

    def span(self, word: str) -> tuple[int, int]:
        """Return the range of codes, end exclusive, of a word; of all words with a prefix if it ends in *."""
        if word.endswith("*"):
            return self.vocabulary.span(word[:-1])
        code = self.vocabulary.code_of(word)
        return (0, 0) if code is None else (code, code + 1)

    def postings(self, word: str) -> Postings:
        """Return the rows that have a word."""
        low, high = self.span(word)
        slots = [int(slot) for slot in self.index.bitmap_slot[low:high] if slot >= 0]
        bitmaps = [self.index.bits[slot * self._row_bytes : (slot + 1) * self._row_bytes] for slot in slots]
        return Postings([self.rows_of(low, high)], bitmaps)

    def flags_of(self, word: str) -> Flags:
        """Return a new mask, (rows,) bool, of the rows with a word, or with * one of that prefix."""
        low, high = self.span(word)
        found = np.zeros(len(self.index.present), np.bool_)
        found[self.rows_of(low, high)] = True
        for flags in self.bitmap_rows(low, high):
            np.logical_or(found, flags, out=found)
        return found

    def rows_of(self, low: int, high: int) -> Rows:
        """Return the rows of the words in a range that have lists, possibly repeated."""
        return self.index.rows[self.index.starts[low] : self.index.starts[high]] if low < high else _NO_ROWS

    def bitmap_rows(self, low: int, high: int) -> Iterator[Flags]:
        """Yield the bitmap, (rows,) bool, of each word in a range that has one."""
        for slot in self.index.bitmap_slot[low:high]:
            if slot >= 0:
                start = int(slot) * self._row_bytes
                packed = self.index.bits[start : start + self._row_bytes]
                yield np.unpackbits(packed, count=len(self.index.present)).view(np.bool_)

    def _in_sequence(self, rows: NDArray[np.int64], spans: list[tuple[int, int]]) -> Flags:
        """Return whether the words follow one another in each of these rows, (n,) bool."""
        begins, stops = self.index.begins[rows], self.index.begins[rows + 1]
        found = np.zeros(len(rows), np.bool_)
        longest = int((stops - begins).max()) if len(rows) else 0
        for first in range(longest - len(spans) + 1):
            position = begins + first
            fits = position + len(spans) <= stops
            for step, (low, high) in enumerate(spans):
                codes = self.index.stream[np.minimum(position + step, len(self.index.stream) - 1)]
                fits &= (codes > low) & (codes <= high)
            found |= fits
        return found

    def count(self, code: int) -> int:
        """Return how many rows have the word of a code."""
        slot = int(self.index.bitmap_slot[code])
        if slot < 0:
            return int(self.index.starts[code + 1] - self.index.starts[code])
        start = slot * self._row_bytes
        return int(np.bitwise_count(self.index.bits[start : start + self._row_bytes]).sum())
