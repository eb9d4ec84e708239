"""A column of one shard, ready for filters: each facet says for every row whether a condition holds.

All are plain arrays, in memory or mapped, and safe to ask from many threads. Values come typed and folded, as
`filter_meaning` leaves them. A row without a value fulfils nothing.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.term_dictionary import TermDictionary

Flags = NDArray[np.bool_]
Rows = NDArray[np.int32]


class ColumnIndex(Protocol):
    """What every facet can do."""

    def mask(self, operator: str, value: Any) -> Flags:
        """(rows,) whether the value of each row compares so with `value`."""


class DictionaryMixin:
    """What facets of texts share: the different texts, folded and as the first that had them wrote them."""

    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    shown_text: NDArray[np.uint8]
    shown_ends: NDArray[np.int64]

    @property
    def vocabulary(self) -> TermDictionary:
        """The folded texts."""
        return TermDictionary(self.text, self.ends)

    @property
    def shown(self) -> TermDictionary:
        """The texts as they were written."""
        return TermDictionary(self.shown_text, self.shown_ends)


def as_mask(values: Any) -> Flags:
    """What NumPy's types leave open: that these are flags."""
    return np.asarray(values, np.bool_)


def codes_of(vocabulary: TermDictionary, operator: str, value: Any) -> NDArray[np.int64]:
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
