"""The words of a column of longer texts: which rows have a word, and in what order its words stand in a row.

An inverted index in plain arrays. Words are in order, so that all which begin alike are one span. A word of
many rows is a row of bits, one of few a list of rows. What cannot be told from words is read from the texts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags, Rows
from snapseek.library.columns.term_dictionary import TermDictionary, flags_of, pattern_of, within
from snapseek.library.filters.text_normalize import casefold_texts, spaced, words_of
from snapseek.library.records.arrow_file import Records

_compute: Any = pc
_NO_ROWS = np.zeros(0, np.int32)


@dataclass(frozen=True)
class TextScan:
    """A column of texts as they are in the records: every question reads all of it."""

    records: Records
    column: str

    def mask(self, operator: str, value: Any) -> Flags:
        """See `ColumnIndex`."""
        parts = [_holds(texts, operator, value) for texts in self.records.column(self.column)]
        return np.concatenate([np.zeros(0, np.bool_), *parts])

    def mask_of_rows(self, rows: Rows, operator: str, value: Any) -> Flags:
        """(rows,) whether those rows, rising, fulfil it."""
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
    """The index itself."""

    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    """The words, a `TermDictionary`; their code here counts from 0, in `stream` from 1."""
    starts: NDArray[np.int64]
    """(words + 1,) where the rows of each begin in `rows`; words of many rows have none there."""
    rows: Rows
    bits: NDArray[np.uint8]
    """The words of many rows one after another, each (rows + 7) // 8 bytes, the first row in the top bit."""
    places: NDArray[np.int32]
    """(words,) which of `bits` belongs to a word, or -1."""
    stream: NDArray[Any]
    """The words of all rows in order, unsigned."""
    begins: NDArray[np.int64]
    """(rows + 1,) where each row begins in `stream`."""
    present: Flags
    """(rows,) which have a text."""

    def __post_init__(self) -> None:
        """Raises ValueError for rows that are not there, as a damaged file may have them."""
        if len(self.rows) and int(self.rows.max()) >= len(self.present):
            raise ValueError("rows beyond the last")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class FullTextIndex:
    """Texts that are searched by words."""

    def __init__(self, index: FullTextArrays, texts: TextScan) -> None:
        """`texts` is the column that `index` was made of."""
        self.index = index
        self._texts = texts
        self._row_bytes = (len(index.present) + 7) // 8

    @cached_property
    def vocabulary(self) -> TermDictionary:
        """Every word."""
        return TermDictionary(self.index.text, self.index.ends)

    def lengths(self) -> NDArray[np.int64]:
        """(rows,) how many words each has."""
        return np.diff(self.index.begins)

    def mask(self, operator: str, value: Any) -> Flags:
        """See `ColumnIndex`."""
        if operator == "exists":
            return self.index.present
        if operator == "contains":
            return self._contain(value)
        words = words_of(value) if operator in ("=", "prefix") else []
        if operator == "prefix" and words:  # the last may go on
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
            found[rows] = self._follow(rows, [self.span(word) for word in words])
        return found

    def _have_all(self, words: list[str]) -> Flags:
        found = self.flags_of(words[0])
        for word in words[1:]:
            np.logical_and(found, self.flags_of(word), out=found)
        return found

    def span(self, word: str) -> tuple[int, int]:
        """From which code to before which a word is, with all that begin so if it ends in *."""
        if word.endswith("*"):
            return self.vocabulary.span(word[:-1])
        code = self.vocabulary.codes("=", word)
        return (int(code[0]), int(code[0]) + 1) if len(code) else (0, 0)

    def flags_of(self, word: str) -> Flags:
        """(rows,) which have the word, or with * one that begins so; a new array."""
        low, high = self.span(word)
        found = np.zeros(len(self.index.present), np.bool_)
        found[self.rows_of(low, high)] = True
        for flags in self.bitmap_rows(low, high):
            np.logical_or(found, flags, out=found)
        return found

    def rows_of(self, low: int, high: int) -> Rows:
        """The rows of the words of a span that are kept as lists; a row may be there more than once."""
        return self.index.rows[self.index.starts[low] : self.index.starts[high]] if low < high else _NO_ROWS

    def bitmap_rows(self, low: int, high: int) -> Iterator[Flags]:
        """(rows,) flags of each word of a span that is kept as bits."""
        for place in self.index.places[low:high]:
            if place >= 0:
                start = int(place) * self._row_bytes
                packed = self.index.bits[start : start + self._row_bytes]
                yield np.unpackbits(packed, count=len(self.index.present)).view(np.bool_)

    def _follow(self, rows: NDArray[np.int64], spans: list[tuple[int, int]]) -> Flags:
        """(n,) whether in those rows the words stand one after another."""
        begins, stops = self.index.begins[rows], self.index.begins[rows + 1]
        found = np.zeros(len(rows), np.bool_)
        longest = int((stops - begins).max()) if len(rows) else 0
        for first in range(longest - len(spans) + 1):
            at = begins + first
            fits = at + len(spans) <= stops
            for place, (low, high) in enumerate(spans):
                codes = self.index.stream[np.minimum(at + place, len(self.index.stream) - 1)]
                fits &= (codes > low) & (codes <= high)
            found |= fits
        return found

    def count(self, code: int) -> int:
        """How many rows have the word of a code."""
        place = int(self.index.places[code])
        if place < 0:
            return int(self.index.starts[code + 1] - self.index.starts[code])
        start = place * self._row_bytes
        return int(np.bitwise_count(self.index.bits[start : start + self._row_bytes]).sum())
