"""The index of a column with few distinct texts: dictionary codes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import DictionaryMixin, Flags, any_of, as_mask, codes_of
from snapseek.library.columns.postings import Postings, packed

_MAX_COMPARED_CODES = 8
"""For more codes one table look-up per row is faster than comparing each code."""


@dataclass(frozen=True)
class DictionaryIndex(DictionaryMixin):
    """Distinct texts, and for each row the code of its text, counted from 1."""

    codes: NDArray[np.unsignedinteger[Any]]
    """(rows,) unsigned; 0 for no value."""
    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    shown_text: NDArray[np.uint8]
    shown_ends: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raise ValueError for codes without a text, which a damaged file may have."""
        if len(self.codes) and int(self.codes.max()) > len(self.vocabulary):
            raise ValueError("codes beyond the texts")

    def counts(self, mask: Flags | None = None) -> NDArray[np.int64]:
        """Return how many rows have each text, (texts,) int64; only rows in `mask` if it is passed."""
        codes = self.codes if mask is None else self.codes[mask]
        return np.bincount(codes, minlength=len(self.ends))[1:]

    def postings(self, word: str) -> Postings:
        """Return the rows with a text that has a word."""
        codes = self.vocabulary.codes_with_word(word)
        return Postings(bitmaps=[packed(self._mask_of_codes(codes + 1))]) if len(codes) else Postings()

    def mask(self, operator: str, value: Any) -> Flags:
        """See `ColumnIndex`."""
        if operator == "exists":
            return as_mask(self.codes != 0)
        return self._mask_of_codes(codes_of(self.vocabulary, operator, value) + 1)

    def _mask_of_codes(self, codes: NDArray[np.int64]) -> Flags:
        if len(codes) == 0:
            return np.zeros(len(self.codes), np.bool_)
        first, last = codes[0], codes[-1]
        if len(codes) == last - first + 1:
            if first == last:
                return as_mask(self.codes == first)
            return as_mask((self.codes >= first) & (self.codes <= last))
        if len(codes) <= _MAX_COMPARED_CODES:
            return any_of([np.equal(self.codes, code) for code in codes], len(self.codes))
        is_match = np.zeros(len(self.ends), np.bool_)
        is_match[codes] = True
        return as_mask(np.take(is_match, self.codes, mode="clip"))  # skips the bounds check: twice as fast
