"""Pictures in the order of their date or size, without sorting those that are not shown."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.column_store import ColumnStore

if TYPE_CHECKING:
    from snapseek.library.columns.numeric import NumericIndex

Keys = NDArray[np.int64]
_NO_VALUE = np.iinfo(np.int64).max


def keys_of(facets: ColumnStore, sort: str) -> Keys:
    """(rows,) int64 for each row of a shard; rising is the order asked for, without a value comes last."""
    facet: NumericIndex | None = facets.pixels if sort == "size" else facets.date
    if facet is None:
        return np.full(facets.rows, _NO_VALUE)
    keys = facet.values.astype(np.int64)
    if sort != "oldest":
        np.negative(keys, out=keys)
    if len(facet.valid):
        keys[~facet.valid] = _NO_VALUE
    return keys


def first_rows(keys: Keys, ids: NDArray[np.int64], flags: Flags | None, count: int) -> NDArray[np.int64]:
    """The first `count` of the rows that have a flag, by rising key, equal keys by lower id."""
    rows = np.arange(len(keys)) if flags is None else np.flatnonzero(flags)
    mine = keys if flags is None else keys[rows]
    if len(rows) > count:
        last = np.partition(mine, count - 1)[count - 1]
        is_near = mine <= last
        rows, mine = rows[is_near], mine[is_near]
    return rows[np.lexsort((ids[rows], mine))[:count]]
