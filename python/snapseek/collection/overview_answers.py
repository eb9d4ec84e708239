"""The answers of partitions about all their pictures, checked as those of `answers` are."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from snapseek.collection.answers import Fields, is_count
from snapseek.collection.frames import Frame
from snapseek.collection.manifest import MAX_COUNT
from snapseek.errors import PartitionError
from snapseek.library.search.facets import Count
from snapseek.library.search.suggestions import ColumnCounts, RangeSuggestion, SuggestionSource

MAX_FACET_VALUES = 10_000
"""The largest number of values of a column in one answer."""

MAX_SUGGESTED = 200
"""The largest number of values of a column that are sent for suggestions."""

_MAX_COLUMNS = 4096
_MAX_END_CHARACTERS = 64
_MONTH = re.compile(r"-?\d{1,6}-\d\d")


def suggestion_source_of(frame: Frame) -> SuggestionSource:
    """Return what a partition has counted for suggestions."""
    columns, words, ranges, refused = (
        _list_in(frame, name) for name in ("columns", "words", "ranges", "refused")
    )
    if not all(isinstance(name, str) for name in refused):
        raise PartitionError("suggestions of another shape")
    return SuggestionSource(
        list(map(_column, columns)),
        list(map(_count_of, words)),
        list(map(_range, ranges)),
        frozenset(refused),
    )


def _list_in(frame: Frame, name: str) -> list[Any]:
    entries = frame.fields.get(name)
    if not isinstance(entries, list) or len(entries) > _MAX_COLUMNS:
        raise PartitionError("no suggestions")
    return entries


def _column(column: object) -> ColumnCounts:
    if not isinstance(column, dict) or not isinstance(column.get("is_own"), bool):
        raise PartitionError("suggestions of another shape")
    read, values = Fields(column), column.get("values")
    if not isinstance(values, list) or len(values) > MAX_SUGGESTED:
        raise PartitionError("suggestions of another shape")
    return ColumnCounts(
        read.text("name"),
        read.text("operator"),
        list(map(_count_of, values)),
        read.integer("total", MAX_COUNT),
        read.integer("rows", 1 << 60),
        read.text("kind"),
        column["is_own"],
    )


def _range(entry: object) -> RangeSuggestion:
    if isinstance(entry, list) and len(entry) == 4 and all(map(_is_end, entry[2:])):
        name, kind, low, high = entry
        if isinstance(name, str) and kind in ("number", "date") and low is not None and high is not None:
            return RangeSuggestion(name, kind, low, high)
    raise PartitionError("suggestions of another shape")


@dataclass(frozen=True)
class ColumnValues:
    """The values of a column in a partition with their numbers of pictures; the range of numbers or dates."""

    values: tuple[Count, ...]
    minimum: int | float | str | None
    maximum: int | float | str | None


def column_values_of(frame: Frame) -> ColumnValues:
    """Return the values of a column of a partition."""
    values, low, high = (frame.fields.get(name) for name in ("values", "minimum", "maximum"))
    if not isinstance(values, list) or len(values) > MAX_FACET_VALUES or not (_is_end(low) and _is_end(high)):
        raise PartitionError("values of a column of another shape")
    return ColumnValues(tuple(map(_count_of, values)), low, high)


def _count_of(pair: object) -> Count:
    if (
        isinstance(pair, list)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and is_count(pair[1], MAX_COUNT)
    ):
        return pair[0], pair[1]
    raise PartitionError("values of a column of another shape")


@dataclass(frozen=True)
class Months:
    """The months of a partition: by name the number of pictures, and the rank key of the first of them."""

    months: dict[str, tuple[int, int]]
    total: int
    undated: int


def months_of(frame: Frame) -> Months:
    """Return the months of a partition."""
    fields, months = Fields(frame.fields), frame.fields.get("months")
    if not isinstance(months, list) or len(months) > MAX_FACET_VALUES:
        raise PartitionError("no months")
    found = dict(map(_month, months))
    return Months(found, fields.integer("total", MAX_COUNT), fields.integer("undated", MAX_COUNT))


def _month(month: object) -> tuple[str, tuple[int, int]]:
    if isinstance(month, list) and len(month) == 3:
        name, count, key = month
        is_key = type(key) is int and -(2**63) <= key < 2**63
        if isinstance(name, str) and _MONTH.fullmatch(name) and is_count(count, MAX_COUNT) and is_key:
            return name, (count, key)
    raise PartitionError("months of another shape")


def before_of(frame: Frame, count: int) -> list[int]:
    """Return the numbers of pictures before `count` rank keys."""
    before = frame.arrays.get("before")
    if before is None or before.dtype != np.int64 or before.shape != (count,):
        raise PartitionError("numbers of pictures of another shape")
    found: list[int] = before.tolist()
    if not all(is_count(number, MAX_COUNT) for number in found):
        raise PartitionError("numbers of pictures that are none")
    return found


def _is_end(value: object) -> bool:
    """Return whether a value can be the end of a range: a finite number, a short text or None."""
    if isinstance(value, str):
        return len(value) <= _MAX_END_CHARACTERS
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (is_number and math.isfinite(value))  # type: ignore[arg-type]
