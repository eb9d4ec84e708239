"""Search in a flat index: every row is scored, and what may be found is a flag for each row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapseek._core import FlatIndex, RowBitmap
from snapseek.errors import InputError

Ids = NDArray[np.int64]
Scores = NDArray[np.float32]
Allow = NDArray[np.bool_] | NDArray[np.int64]


@dataclass(frozen=True)
class RowFlags:
    """The rows of a flat index that may be found; made by `VectorIndex.filter`."""

    flags: NDArray[np.bool_]


def search(
    index: FlatIndex,
    queries: NDArray[np.float32],
    k: int,
    allow: Allow | RowBitmap | RowFlags | None,
    *,
    threads: int,
) -> tuple[Ids, Scores]:
    """Ids and scores of the best `k` allowed rows for each query; many queries share `threads`.

    `queries`: (q, dim) float32, or (dim,) for one. Returns (q, min(k, allowed)) int64 and float32. Raises
    InputError as `VectorIndex.search` does.
    """
    flags = None if allow is None else flags_of(index, allow)
    share = np.ndim(queries) == 2 and len(queries) >= 2 * threads
    rows, scores = index.search(queries, k, allow=flags, threads=threads if share else 1)
    ids = index.ids
    return (rows if ids is None else ids[rows]), scores


def flags_of(index: FlatIndex, allow: Allow | RowBitmap | RowFlags) -> NDArray[np.bool_]:
    """(rows,) bool: a flag for each row, of flags by id or of ids. Raises InputError for anything else."""
    if isinstance(allow, RowFlags):
        return allow.flags
    if not isinstance(allow, np.ndarray) or allow.ndim != 1 or allow.dtype not in (np.bool_, np.int64):
        raise InputError("allow must be an array of shape (n,), bool flags by id or int64 ids")
    ids = np.arange(index.rows) if index.ids is None else index.ids
    if allow.dtype == np.int64:
        return np.isin(ids, allow)
    if len(ids) and ids[0] < 0:
        raise InputError(
            f"flags count ids from 0 and this index has id {ids[0]}: pass the allowed ids instead"
        )
    expected = int(ids[-1]) + 1 if len(ids) else 0
    if len(allow) != expected:
        raise InputError(
            f"allow must hold one flag for each of the {expected} ids from 0 to the largest, "
            f"it holds {len(allow)}"
        )
    flags: NDArray[np.bool_] = allow.astype(np.bool_)[ids]
    return flags
