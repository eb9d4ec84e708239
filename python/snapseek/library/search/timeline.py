"""The months of pictures in the order of their dates, so that a page can jump to one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shard_view import ShardView


@dataclass(frozen=True)
class Month:
    """The pictures of a month, by the local time at which they were made."""

    month: str
    """As `2024-06`."""
    count: int
    offset: int
    """The number of pictures before the first one of the month."""


@dataclass(frozen=True)
class Timeline:
    """The months in an order of dates. `undated` pictures come after them."""

    months: tuple[Month, ...]
    total: int
    undated: int


class MonthIndex:
    """The months of the selected pictures, in an order of dates.

    Attributes
    ----------
    months
        By name, the number of pictures of the month, and the rank key of its first one.
    undated
        The number of pictures without a date.
    """

    def __init__(self, parts: Sequence[ShardView], selection: Selection, *, newest_first: bool) -> None:
        moments, months = _dated(parts, selection)
        self.undated = selection.count - len(moments)
        self.total = selection.count
        if newest_first:
            moments = -moments
        self._order = np.sort(moments)
        numbers, group, counts = np.unique(months, return_inverse=True, return_counts=True)
        first = np.full(len(numbers), np.iinfo(np.int64).max)
        np.minimum.at(first, group.reshape(-1), moments)
        names = [str(np.datetime64(int(number), "M")) for number in numbers]
        self.months = dict(zip(names, zip(counts.tolist(), first.tolist(), strict=True), strict=True))

    def before(self, keys: Sequence[int]) -> list[int]:
        """Return for each rank key the number of pictures before it."""
        found: list[int] = np.searchsorted(self._order, np.array(keys, np.int64)).tolist()
        return found


def timeline(parts: Sequence[ShardView], selection: Selection, *, newest_first: bool = True) -> Timeline:
    """Return the months of the selected pictures, in the order of `sort` newest or oldest."""
    index = MonthIndex(parts, selection, newest_first=newest_first)
    offsets = index.before([key for _, key in index.months.values()])
    found = [
        Month(name, count, offset)
        for (name, (count, _)), offset in zip(index.months.items(), offsets, strict=True)
    ]
    in_order = sorted(found, key=lambda entry: entry.month, reverse=newest_first)
    return Timeline(tuple(in_order), index.total, index.undated)


def _dated(parts: Sequence[ShardView], selection: Selection) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the moments of dated pictures, by which they are sorted, and the months of their local dates."""
    moments, months = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for part, mask in zip(parts, selection.masks, strict=True):
        moment, date = part.shard.columns.moment, part.shard.columns.date
        if moment is None or date is None:
            continue
        known = moment.mask("exists", True)
        rows = np.flatnonzero(known if mask is None else known & mask)
        moments.append(moment.values[rows].astype(np.int64))
        local = date.values[rows].astype("datetime64[us]")
        months.append(local.astype("datetime64[M]").astype(np.int64))
    return np.concatenate(moments), np.concatenate(months)
