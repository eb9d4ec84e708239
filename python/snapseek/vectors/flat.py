"""Filters of a flat index, which scores every row: masks over rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapseek._core import FlatIndex, RowBitmap
from snapseek.errors import ArrayError

Ids = NDArray[np.int64]
Scores = NDArray[np.float32]
Allow = NDArray[np.bool_] | NDArray[np.int64]


@dataclass(frozen=True)
class RowMask:
    """The allowed rows of a flat index; made by `VectorIndex.filter`."""

    mask: NDArray[np.bool_]


def row_mask(index: FlatIndex, allow: Allow | RowBitmap | RowMask) -> NDArray[np.bool_]:
    """Return a mask of rows, (rows,) bool, for flags by id or ids. Raises ArrayError for anything else."""
    if isinstance(allow, RowMask):
        return allow.mask
    if not isinstance(allow, np.ndarray) or allow.ndim != 1 or allow.dtype not in (np.bool_, np.int64):
        got = (
            f"{allow.dtype} of shape {allow.shape}" if isinstance(allow, np.ndarray) else type(allow).__name__
        )
        raise ArrayError(expected="allow of shape (n,), as bool flags by id or int64 ids", got=got)
    ids = np.arange(index.rows) if index.ids is None else index.ids
    if allow.dtype == np.int64:
        return np.isin(ids, allow)
    if len(ids) and ids[0] < 0:
        raise ArrayError(
            expected="allow as ids, since flags start at id 0",
            got=f"flags for an index with id {ids[0]}",
            hint="pass the allowed ids as int64",
        )
    expected = int(ids[-1]) + 1 if len(ids) else 0
    if len(allow) != expected:
        raise ArrayError(
            expected=f"allow to hold one flag for each of the {expected} ids from 0",
            got=f"{len(allow)} flags",
        )
    flags: NDArray[np.bool_] = allow.astype(np.bool_)[ids]
    return flags
