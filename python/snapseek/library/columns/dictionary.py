"""The index of a column of few different texts: dictionary codes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import DictionaryMixin, Flags, any_of, as_mask, codes_of

_FEW_CODES = 8  # so many comparisons cost less than one look-up for each row


@dataclass(frozen=True)
class DictionaryIndex(DictionaryMixin):
    """Texts of which there are few different ones: for each row the code of its text, counted from 1."""

    codes: NDArray[np.unsignedinteger[Any]]
    """(rows,) unsigned; 0 where there is no value."""
    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    shown_text: NDArray[np.uint8]
    shown_ends: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raises ValueError for codes without a text, as a damaged file may have them."""
        if len(self.codes) and int(self.codes.max()) > len(self.vocabulary):
            raise ValueError("codes beyond the texts")

    def counts(self, among: Flags | None = None) -> NDArray[np.int64]:
        """(texts,) how many rows have each, of all or of those with a flag."""
        codes = self.codes if among is None else self.codes[among]
        return np.bincount(codes, minlength=len(self.ends))[1:]

    def mask(self, operator: str, value: Any) -> Flags:
        """See `ColumnIndex`."""
        if operator == "exists":
            return as_mask(self.codes != 0)
        return self._of(codes_of(self.vocabulary, operator, value) + 1)

    def _of(self, codes: NDArray[np.int64]) -> Flags:
        if len(codes) == 0:
            return np.zeros(len(self.codes), np.bool_)
        first, last = codes[0], codes[-1]
        if len(codes) == last - first + 1:
            if first == last:
                return as_mask(self.codes == first)
            return as_mask((self.codes >= first) & (self.codes <= last))
        if len(codes) <= _FEW_CODES:
            return any_of([np.equal(self.codes, code) for code in codes], len(self.codes))
        chosen = np.zeros(len(self.ends), np.bool_)
        chosen[codes] = True
        return as_mask(np.take(chosen, self.codes, mode="clip"))  # the codes were checked; twice as fast
