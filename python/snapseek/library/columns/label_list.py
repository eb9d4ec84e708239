"""The index of a column of lists of labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import DictionaryMixin, Flags, Rows, codes_of


@dataclass(frozen=True)
class LabelListIndex(DictionaryMixin):
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

    def mask(self, operator: str, value: Any) -> Flags:
        """See `ColumnIndex`."""
        if operator == "exists":
            return self.present
        found = np.zeros(len(self.present), np.bool_)
        found[self.rows_of(codes_of(self.vocabulary, operator, value))] = True
        return found
