"""Filters: the rows of an index that a search may return."""

from typing import cast, final

import numpy as np
from numpy.typing import NDArray

from snapseek._core import FlatIndex, IvfFilter, IvfIndex, RowBitmap
from snapseek.errors import ArrayError, WrongIndexError

Ids = NDArray[np.int64]
Scores = NDArray[np.float32]
Allow = NDArray[np.bool_] | NDArray[np.uint8] | NDArray[np.int64]
CoreFilter = RowBitmap | IvfFilter


@final
class Filter:
    """The rows of one index that a search may return, prepared once for many searches.

    Made by `VectorIndex.filter`. Immutable; safe to use from many threads at once. `len(filter)` is the
    number of allowed rows.
    """

    __slots__ = ("_index", "_rows")

    def __init__(self, index: object, rows: CoreFilter) -> None:
        self._index = index
        self._rows = rows

    def __len__(self) -> int:
        """Return the number of allowed rows."""
        return self._rows.allowed

    def __repr__(self) -> str:
        return f"Filter({len(self)} rows)"

    def rows_of(self, index: object) -> CoreFilter:
        """Return the allowed rows as the core takes them. Raises WrongIndexError for another index."""
        if self._index is not index:
            raise WrongIndexError(
                expected="a filter of this index as allow",
                got="one of another index",
                hint="make it with the filter method of this index",
            )
        return self._rows


def rows_of(core: FlatIndex | IvfIndex, identity: object, allow: "Allow | Filter") -> CoreFilter:
    """Return the allowed rows of an index. Raises as `allowed_rows` and `Filter.rows_of` do."""
    return allow.rows_of(identity) if isinstance(allow, Filter) else allowed_rows(core, allow)


def allowed_rows(core: FlatIndex | IvfIndex, allow: Allow, *, by_row: bool = False) -> CoreFilter:
    """Return the allowed rows as the core takes them.

    Raises InputError for a wrong shape or dtype.
    """
    if not isinstance(core, FlatIndex):
        return core.filter(allow, by_row=by_row)
    return core.filter(_checked_flags(core, allow) if by_row else _flags_of(core, allow))


def _checked_flags(core: FlatIndex, allow: Allow) -> NDArray[np.bool_]:
    """Return flags by row as they are."""
    if not isinstance(allow, np.ndarray):
        raise ArrayError(expected="allow to be an array of flags by row", got=type(allow).__name__)
    if allow.dtype != np.bool_ or allow.shape != (core.rows,):
        raise ArrayError(
            expected=f"allow to hold one flag for each of {core.rows} rows",
            got=f"an array of {allow.dtype}, shape {allow.shape}",
        )
    return cast("NDArray[np.bool_]", allow)


def _flags_of(core: FlatIndex, allow: Allow) -> NDArray[np.bool_]:
    """Return flags by row for flags, bits or ids."""
    is_array = isinstance(allow, np.ndarray)
    if not is_array or allow.ndim != 1 or allow.dtype not in (np.bool_, np.uint8, np.int64):
        got = f"{allow.dtype} of shape {allow.shape}" if is_array else type(allow).__name__
        raise ArrayError(
            expected="allow of shape (n,), as bool flags by id, uint8 bits by id, or int64 ids", got=got
        )
    ids = np.arange(core.rows) if core.ids is None else core.ids
    if allow.dtype == np.int64:
        return np.isin(ids, allow)
    if len(ids) and ids[0] < 0:
        raise ArrayError(
            expected="allow as ids, since flags start at id 0",
            got=f"flags for an index with id {ids[0]}",
            hint="pass the allowed ids as int64",
        )
    expected = int(ids[-1]) + 1 if len(ids) else 0
    if allow.dtype == np.bool_:
        _check_length(len(allow), expected, "flag", f"for each of the {expected} ids from 0")
        by_id = cast("NDArray[np.bool_]", allow)
    else:
        _check_length(len(allow), -(-expected // 8), "byte", f"for each eight of the {expected} ids from 0")
        by_id = np.unpackbits(allow.astype(np.uint8), bitorder="little").astype(np.bool_)
    flags: NDArray[np.bool_] = by_id[ids]
    return flags


def _check_length(got: int, expected: int, unit: str, what: str) -> None:
    if got != expected:
        raise ArrayError(expected=f"allow to hold one {unit} {what}", got=f"{got} {unit}s")
