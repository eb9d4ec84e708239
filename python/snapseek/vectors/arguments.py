"""Check and convert the arguments of a vector index."""

import re

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snapseek.errors import ArrayError, NonFiniteError, OutOfRangeError, ParseError
from snapseek.vectors.filter import Ids

_FLAT_ROW_BYTES = 28
"""Bounds the scale, id and padding of a row in a flat index."""

_FLAT_BYTES = 4096
"""Bounds the rest of a flat index."""

_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_BYTES = re.compile(r"([0-9]{1,20}(?:\.[0-9]+)?) *([kmgt]i?)?b?", re.IGNORECASE)


def check_queries(vectors: NDArray[np.generic], queries: NDArray[np.generic] | None) -> None:
    """Raise InputError for invalid training queries, which a flat index checks but does not use."""
    if queries is None:
        return
    if np.shape(queries)[1:] != vectors.shape[1:]:
        raise ArrayError(
            expected=f"queries of shape (q, {vectors.shape[1]}), the dimension of the vectors",
            got=f"shape {np.shape(queries)}",
        )
    if not isinstance(queries, np.ndarray) or queries.dtype not in (np.float16, np.float32):
        got = f"an array of {queries.dtype}" if isinstance(queries, np.ndarray) else type(queries).__name__
        raise ArrayError(expected="queries to be a NumPy array of float16 or float32", got=got)
    if not np.isfinite(queries).all():
        row, column = np.argwhere(~np.isfinite(queries))[0]
        raise NonFiniteError(
            expected="finite values in queries",
            got=f"{queries[row, column]} at row {row}, column {column}",
            hint="remove the rows that hold NaN or infinity",
        )


def no_array(queries: object) -> ArrayError:
    """Return the error for queries that are not an array; the core checks the dtype of one."""
    return ArrayError(
        expected="queries to be a NumPy array of float16 or float32",
        got=type(queries).__name__,
        hint="convert them with numpy.asarray(x, dtype=numpy.float32)",
    )


def as_int64(ids: ArrayLike) -> Ids:
    """Return row numbers or ids as int64. Raises ArrayError or OutOfRangeError if they are not integers."""
    try:
        array = np.asarray(ids)
    except ValueError as error:
        raise ArrayError(expected="row numbers or ids of shape (n,)", got="nested lists") from error
    if not np.issubdtype(array.dtype, np.integer) and array.size > 0:
        raise ArrayError(expected="row numbers or ids that are integers", got=f"an array of {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise OutOfRangeError(expected="row numbers or ids below 2^63", got=str(array.max()))
    return np.ascontiguousarray(array, dtype=np.int64)


def check_counts(**counts: int | None) -> None:
    """Raise OutOfRangeError for numbers that the core cannot take; it checks the range of each."""
    for name, count in counts.items():
        if count is not None and not 0 <= count < 2**63:
            raise OutOfRangeError(expected=f"{name} from 0 to 2^63 - 1", got=str(count))


def memory_limit(memory: str | int | None) -> int | None:
    """Return a size such as "800MB", "1.5 GiB" or 800000000 in bytes, None for None.

    Raises ParseError for anything else.
    """
    if memory is None:
        return None
    match = _BYTES.fullmatch(str(memory).strip())
    if match is None:
        raise ParseError(expected="memory as bytes or a size such as '800MB' or '1.5GiB'", got=repr(memory))
    return min(int(float(match[1]) * _UNITS[(match[2] or "").lower()]), 2**63 - 1)


def is_flat(vectors: NDArray[np.float16] | NDArray[np.float32], limit: int | None, flat_rows: int) -> bool:
    """Return whether the rows are fewer than `flat_rows`, and fit `limit` bytes as a flat index."""
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2:
        got = f"shape {vectors.shape}" if isinstance(vectors, np.ndarray) else type(vectors).__name__
        raise ArrayError(expected="vectors to be an array of shape (n, dim)", got=got)
    rows, dim = vectors.shape
    return rows < flat_rows and (limit is None or rows * (dim + _FLAT_ROW_BYTES) + _FLAT_BYTES <= limit)
