"""The interface of column indexes: which rows of a shard fulfil a condition.

An index is a set of arrays, in memory or mapped, and safe to use from many threads. Values are typed and
casefolded, as `filters.typecheck` returns them. A row without a value fulfils no condition.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.term_dictionary import TermDictionary

Flags = NDArray[np.bool_]
Rows = NDArray[np.int32]


class ColumnIndex(Protocol):
    """The index of a column."""

    def mask(self, operator: str, value: Any) -> Flags:
        """Return whether `row operator value` holds for each row, (rows,) bool."""


class DictionaryMixin:
    """The distinct texts of an index: casefolded, and as their first row spells them."""

    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    shown_text: NDArray[np.uint8]
    shown_ends: NDArray[np.int64]

    @cached_property
    def vocabulary(self) -> TermDictionary:
        """The casefolded texts."""
        return TermDictionary(self.text, self.ends)

    @cached_property
    def shown(self) -> TermDictionary:
        """The texts in their original spelling."""
        return TermDictionary(self.shown_text, self.shown_ends)


def as_mask(values: Any) -> Flags:
    """Return `values` typed as flags, which NumPy's stubs leave open."""
    return np.asarray(values, np.bool_)


def codes_of(vocabulary: TermDictionary, operator: str, value: Any) -> NDArray[np.int64]:
    """Return the ascending codes of the texts for which `text operator value` holds."""
    if operator != "in":
        return vocabulary.codes(operator, value)
    parts = [vocabulary.codes("=", entry) for entry in value]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def any_of(parts: Sequence[Flags], rows: int) -> Flags:
    """Return the union of masks, (rows,) bool."""
    found = np.zeros(rows, np.bool_)
    for part in parts:
        np.logical_or(found, part, out=found)
    return found
