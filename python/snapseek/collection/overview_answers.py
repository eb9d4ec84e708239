"""The answers of partitions about all their pictures, checked as those of `answers` are."""

import math
import re
from dataclasses import dataclass

from snapseek.collection.answers import Fields, is_count
from snapseek.collection.frames import Frame
from snapseek.collection.manifest import MAX_COUNT
from snapseek.errors import PartitionError
from snapseek.library.search.facets import Count
from snapseek.library.search.suggestions import ColumnSuggestion, RangeSuggestion, Suggestions
from snapseek.library.search.timeline import Month, Timeline

MAX_FACET_VALUES = 10_000
"""The largest number of values of a column in one answer."""

_MAX_COLUMNS = 4096
_MAX_END_CHARACTERS = 64
_MONTH = re.compile(r"-?\d{1,6}-\d\d")


def suggestions_of(frame: Frame) -> Suggestions:
    """Return the suggestions of a partition."""
    examples, columns, ranges = (frame.fields.get(name) for name in ("examples", "columns", "ranges"))
    if not isinstance(examples, list) or not isinstance(columns, list) or not isinstance(ranges, list):
        raise PartitionError("no suggestions")
    is_small = len(examples) + len(columns) + len(ranges) <= _MAX_COLUMNS
    if not is_small or not all(isinstance(text, str) for text in examples):
        raise PartitionError("suggestions of another shape")
    return Suggestions(examples, [_column(column) for column in columns], [_range(entry) for entry in ranges])


def _column(column: object) -> ColumnSuggestion:
    if isinstance(column, list) and len(column) == 4:
        name, operator, values, total = column
        if isinstance(name, str) and isinstance(operator, str) and isinstance(values, list):
            pairs = [tuple(value) for value in values if isinstance(value, list) and len(value) == 2]
            is_counted = all(isinstance(text, str) and is_count(count, MAX_COUNT) for text, count in pairs)
            if is_counted and is_count(total, MAX_COUNT):
                return ColumnSuggestion(name, operator, pairs, total)
    raise PartitionError("suggestions of another shape")


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


def timeline_of(frame: Frame) -> Timeline:
    """Return the months of a partition."""
    fields, months = Fields(frame.fields), frame.fields.get("months")
    if not isinstance(months, list) or len(months) > MAX_FACET_VALUES:
        raise PartitionError("no months")
    found = tuple(_month(month) for month in months)
    return Timeline(found, fields.integer("total", MAX_COUNT), fields.integer("undated", MAX_COUNT))


def _month(month: object) -> Month:
    if isinstance(month, dict) and _MONTH.fullmatch(str(month.get("month"))):
        count, offset = month.get("count"), month.get("offset")
        if is_count(count, MAX_COUNT) and is_count(offset, MAX_COUNT):
            return Month(str(month["month"]), count, offset)
    raise PartitionError("months of another shape")


def _is_end(value: object) -> bool:
    """Return whether a value can be the end of a range: a finite number, a short text or None."""
    if isinstance(value, str):
        return len(value) <= _MAX_END_CHARACTERS
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (is_number and math.isfinite(value))  # type: ignore[arg-type]
