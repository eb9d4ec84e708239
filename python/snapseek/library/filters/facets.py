"""A column of one shard, ready for filters: each facet says for every row whether a condition holds.

All are plain arrays, in memory or mapped, and safe to ask from many threads. Values come typed and folded, as
`filter_meaning` leaves them. A row without a value fulfils nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from snapseek.library.filters.vocabulary import Vocabulary

Flags = NDArray[np.bool_]
Rows = NDArray[np.int32]
_FEW_CODES = 8  # so many comparisons cost less than one look-up for each row


class Facet(Protocol):
    """What every facet can do."""

    def flags(self, operator: str, value: Any) -> Flags:
        """(rows,) whether the value of each row compares so with `value`."""


@dataclass(frozen=True)
class NumberFacet:
    """Numbers, times as microseconds since 1970 in UTC, and flags as 0 and 1."""

    values: NDArray[Any]
    valid: Flags
    """(rows,), or empty where every row has a value."""

    def flags(self, operator: str, value: Any) -> Flags:
        """See `Facet`."""
        if operator == "exists":
            return self.valid if len(self.valid) else np.ones(len(self.values), np.bool_)
        if operator == "in":
            return any_of([self._compared("=", entry) for entry in value], len(self.values))
        return self._compared(operator, value)

    def _compared(self, operator: str, value: float) -> Flags:
        if self.values.dtype.kind in "iu":
            operator, value = _whole(operator, value)
            limits = np.iinfo(self.values.dtype)
            if not limits.min <= value <= limits.max:
                holds = value > limits.max if operator in ("<", "<=") else value < limits.min
                found = np.full(len(self.values), holds and operator != "=", np.bool_)
            else:
                found = _COMPARED[operator](self.values, value)
        else:
            with np.errstate(over="ignore"):
                found = _COMPARED[operator](self.values, self.values.dtype.type(float(value)))
        return found & self.valid if len(self.valid) else found


def _whole(operator: str, value: float) -> tuple[str, int]:
    """The same comparison of whole numbers with a whole number."""
    if operator == "=":
        return (operator, int(value)) if value == math.floor(value) else ("<", -(2**64))
    if operator in (">", "<="):
        return operator, math.floor(value)
    return operator, math.ceil(value)


_COMPARED: dict[str, Any] = {
    "=": np.equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


class TextFacet:
    """What facets of texts share: the different texts, folded and as the first that had them wrote them."""

    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    shown_text: NDArray[np.uint8]
    shown_ends: NDArray[np.int64]

    @property
    def vocabulary(self) -> Vocabulary:
        """The folded texts."""
        return Vocabulary(self.text, self.ends)

    @property
    def shown(self) -> Vocabulary:
        """The texts as they were written."""
        return Vocabulary(self.shown_text, self.shown_ends)


@dataclass(frozen=True)
class ChoiceFacet(TextFacet):
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

    def flags(self, operator: str, value: Any) -> Flags:
        """See `Facet`."""
        if operator == "exists":
            return _flags(self.codes != 0)
        return self._of(codes_of(self.vocabulary, operator, value) + 1)

    def _of(self, codes: NDArray[np.int64]) -> Flags:
        if len(codes) == 0:
            return np.zeros(len(self.codes), np.bool_)
        first, last = codes[0], codes[-1]
        if len(codes) == last - first + 1:
            if first == last:
                return _flags(self.codes == first)
            return _flags((self.codes >= first) & (self.codes <= last))
        if len(codes) <= _FEW_CODES:
            return any_of([np.equal(self.codes, code) for code in codes], len(self.codes))
        chosen = np.zeros(len(self.ends), np.bool_)
        chosen[codes] = True
        return _flags(np.take(chosen, self.codes, mode="clip"))  # the codes were checked; twice as fast


@dataclass(frozen=True)
class ListFacet(TextFacet):
    """Lists of texts, the other way round: for each text the rows that have it."""

    starts: NDArray[np.int64]
    """(texts + 1,) where the rows of each text begin in `rows`."""
    rows: Rows
    present: Flags
    """(rows of the shard,) which have a list that is not empty."""
    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    shown_text: NDArray[np.uint8]
    shown_ends: NDArray[np.int64]

    def counts(self, among: Flags | None = None) -> NDArray[np.int64]:
        """(texts,) how many rows have each, of all or of those with a flag."""
        if among is None:
            return np.diff(self.starts)
        return np.diff(np.concatenate([[0], np.cumsum(among[self.rows])])[self.starts])

    def rows_of(self, codes: NDArray[np.int64]) -> Rows:
        """The rows that have any of these texts, in no order, some of them perhaps twice."""
        parts = [self.rows[self.starts[code] : self.starts[code + 1]] for code in codes]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)

    def flags(self, operator: str, value: Any) -> Flags:
        """See `Facet`."""
        if operator == "exists":
            return self.present
        found = np.zeros(len(self.present), np.bool_)
        found[self.rows_of(codes_of(self.vocabulary, operator, value))] = True
        return found


def _flags(values: Any) -> Flags:
    """What NumPy's types leave open: that these are flags."""
    return np.asarray(values, np.bool_)


def codes_of(vocabulary: Vocabulary, operator: str, value: Any) -> NDArray[np.int64]:
    """The codes, rising, of the texts that compare so with a value; for `in`, with one of the values."""
    if operator != "in":
        return vocabulary.codes(operator, value)
    parts = [vocabulary.codes("=", entry) for entry in value]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def any_of(parts: Sequence[Flags], rows: int) -> Flags:
    """(rows,) which have at least one of the flags."""
    found = np.zeros(rows, np.bool_)
    for part in parts:
        np.logical_or(found, part, out=found)
    return found


def arrays_of(facet: NumberFacet | ChoiceFacet | ListFacet) -> dict[str, NDArray[Any]]:
    """The arrays that a facet is made of, by name."""
    return {field.name: getattr(facet, field.name) for field in fields(facet)}
