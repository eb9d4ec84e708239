"""The keys by which pictures are sorted, by date or by size."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.column_store import ColumnStore

if TYPE_CHECKING:
    from snapseek.library.columns.numeric import NumericIndex

Keys = NDArray[np.int64]
_NO_VALUE = np.iinfo(np.int64).max


def sort_keys(columns: ColumnStore, sort: str) -> Keys:
    """Return a key for each row of a shard, (rows,) int64: lower keys come first, rows without a value last.

    `sort` is newest, oldest or size.
    """
    index: NumericIndex | None = columns.pixels if sort == "size" else columns.moment
    if index is None:
        return np.full(columns.rows, _NO_VALUE)
    keys = index.values.astype(np.int64)
    if sort != "oldest":
        np.negative(keys, out=keys)
    if len(index.valid):
        keys[~index.valid] = _NO_VALUE
    return keys


def first_rows(keys: Keys, ids: NDArray[np.int64], mask: Flags | None, count: int) -> NDArray[np.int64]:
    """Return the first `count` rows of the mask by rising key, ties by lower id."""
    rows = np.arange(len(keys)) if mask is None else np.flatnonzero(mask)
    row_keys = keys if mask is None else keys[rows]
    if len(rows) > count:
        last = np.partition(row_keys, count - 1)[count - 1]
        is_near = row_keys <= last
        rows, row_keys = rows[is_near], row_keys[is_near]
    return rows[np.lexsort((ids[rows], row_keys))[:count]]
