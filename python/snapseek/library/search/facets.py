"""The values of a column with their numbers of pictures, subfolders of a folder, and ranges of numbers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import UnknownChoiceError
from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.columns.numeric import NumericIndex
from snapseek.library.columns.text_counts import count_texts
from snapseek.library.filters.text_normalize import casefold_text
from snapseek.library.filters.typecheck import STANDARD, Kinds
from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shard_view import ShardView

OPERATORS = {"folder": "in", "kind": "type", "tags": "tag", "month": "date"}
"""The filters of columns whose own name is no filter, or means something else."""

_WITHOUT_VALUES = frozenset({"id", "uri", "color", "caption", "name", "title"})
"""Every picture has another value there."""

MAX_NUMBERS = 200
"""A column of more different numbers has a range only."""

Count = tuple[str, int]


@dataclass(frozen=True)
class FacetValue:
    """A value of a column, and the number of pictures that have it."""

    value: str
    count: int
    folders: int = 0
    """The number of folders directly in it, if it is a folder."""


@dataclass(frozen=True)
class Facet:
    """One page of the values of a column.

    Attributes
    ----------
    operator
        The filter is `operator:value`.
    kind
        `text`, `list`, `flag`, `number`, `date`, `year`, `month` or `folder`.
    total
        The number of different values, over all pages.
    minimum, maximum
        Of a column of numbers or dates (as `2024-06-01`); None for other columns and without any value.
    """

    column: str
    operator: str
    kind: str
    total: int
    values: tuple[FacetValue, ...]
    minimum: int | float | str | None = None
    maximum: int | float | str | None = None


class Facets:
    """The facets of the pictures that a filter selects. Safe to use from many threads."""

    def __init__(self, parts: Sequence[ShardView], kinds: Kinds, selection: Selection) -> None:
        self._parts = parts
        self._kinds = kinds
        self._masks = selection.masks
        self._counts: dict[str, list[Count]] = {}

    def facet(
        self, column: str, *, contains: str = "", within: str | None = None, limit: int = 100, offset: int = 0
    ) -> Facet:
        """Return the values of a column, the most frequent first; years, months and numbers by value.

        Parameters
        ----------
        column
            A column, `year` or `month`.
        contains
            Only values that contain this text, in any case.
        within
            Only the folders directly in this one, by name; "" is the top. For the column `folder` alone.
        limit, offset
            The page.

        Raises
        ------
        UnknownChoiceError
            There is no such column, or every picture has another value there.
        """
        column, kind = checked_column(column, self._kinds)
        low, high = self.bounds(column) if kind in ("number", "date") else (None, None)
        if column == "folder" and within is not None:
            found = folders_in(self.counts("folder"), within)
        else:
            found = [FacetValue(value, count) for value, count in self.counts(column)]
        found = containing(found, contains)
        page = tuple(found[offset : offset + limit])
        return Facet(column, OPERATORS.get(column, column), kind, len(found), page, low, high)

    def counts(self, column: str) -> list[Count]:
        """Return all values of a column with their numbers of pictures, in the order of `facet`."""
        if column not in self._counts:
            self._counts[column] = self._counted(column)
        return self._counts[column]

    def bounds(self, column: str) -> tuple[int | float | str | None, int | float | str | None]:
        """Return the smallest and the largest value of a column of numbers or dates; None without any."""
        ends = []
        for index, mask in self._numbers(column):
            values = index.values[_known(index, mask)]
            values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
            if len(values):
                ends += [values.min().item(), values.max().item()]
        if not ends:
            return None, None
        if self._kinds.get(column) == "date":
            return _day(min(ends)), _day(max(ends))
        return min(ends), max(ends)

    def _counted(self, column: str) -> list[Count]:
        if column in ("year", "month"):
            return self._periods("Y" if column == "year" else "M")
        kind = self._kinds.get(column)
        if kind == "flag":
            return self._flags(column)
        if kind == "number":
            return self._different_numbers(column)
        return self._texts(column) if kind in ("text", "list") else []

    def _periods(self, unit: str) -> list[Count]:
        """Return the years or months of the local dates of pictures, the latest first."""
        counts: Counter[int] = Counter()
        for part, mask in self._with_masks():
            dates = part.shard.columns.date
            if dates is not None:
                periods = (
                    dates.values[_known(dates, mask)].astype("datetime64[us]").astype(f"datetime64[{unit}]")
                )
                counts.update(_tally(periods.astype(np.int64)))
        ordered = sorted(counts, reverse=True)
        names = np.datetime_as_string(np.array(ordered, np.int64).astype(f"datetime64[{unit}]")).tolist()
        return [(name, counts[period]) for name, period in zip(names, ordered, strict=True)]

    def _flags(self, column: str) -> list[Count]:
        counts: Counter[int] = Counter()
        for index, mask in self._numbers(column):
            counts.update(_tally(index.values[_known(index, mask)].astype(np.int64)))
        return [(name, counts[value]) for name, value in (("yes", 1), ("no", 0)) if counts[value]]

    def _different_numbers(self, column: str) -> list[Count]:
        """Return few different numbers, the largest first; none if there are too many."""
        counts: Counter[int | float] = Counter()
        for index, mask in self._numbers(column):
            values = index.values[_known(index, mask)]
            if len(counts) <= MAX_NUMBERS and len(np.unique(values[:10_000])) <= MAX_NUMBERS:
                counts.update(_tally(values))
            else:
                return []
        if len(counts) > MAX_NUMBERS:
            return []
        return [(f"{value:g}", counts[value]) for value in sorted(counts, reverse=True)]

    def _texts(self, column: str) -> list[Count]:
        counts: Counter[str] = Counter()
        shown: dict[str, str] = {}
        for part, mask in self._with_masks():
            index = part.shard.columns.index(column)
            if isinstance(index, DictionaryIndex | LabelListIndex):
                numbers = index.counts(mask)
                codes = np.flatnonzero(numbers).tolist()
                found = [(index.vocabulary[code].decode(), index.shown[code].decode()) for code in codes]
                found_counts = numbers[codes].tolist()
            elif index is not None:
                found, found_counts = count_texts(part.shard.records, column, mask)
            else:
                continue
            for (key, spelling), count in zip(found, found_counts, strict=True):
                if key:
                    counts[key] += count
                    shown.setdefault(key, spelling)
        ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        return [(shown[key], count) for key, count in ordered]

    def _with_masks(self) -> Iterator[tuple[ShardView, Flags | None]]:
        return zip(self._parts, self._masks, strict=True)

    def _numbers(self, column: str) -> Iterator[tuple[NumericIndex, Flags | None]]:
        for part, mask in self._with_masks():
            index = part.shard.columns.index(column)
            if isinstance(index, NumericIndex):
                yield index, mask


def checked_column(column: str, kinds: Kinds) -> tuple[str, str]:
    """Return a column and its kind. Raises UnknownChoiceError for one without values that pictures share."""
    if column in ("year", "month"):
        return column, column
    column = {"tag": "tags", "type": "kind", "in": "folder"}.get(column, column)
    kind = kinds.get(column, STANDARD.get(column))
    if kind is None or column in _WITHOUT_VALUES:
        names = {*kinds, "year", "month"} - _WITHOUT_VALUES
        raise UnknownChoiceError(
            expected="a column with values that pictures share",
            got=f"{column!r:.60}",
            hint=f"known: {', '.join(sorted(names))}",
        )
    return column, "folder" if column == "folder" else kind


def containing(values: list[FacetValue], text: str) -> list[FacetValue]:
    """Return the values that contain a text, in any case; all of them for an empty one."""
    wanted = casefold_text(text)
    return [entry for entry in values if wanted in casefold_text(entry.value)] if wanted else values


def is_in_folder(path: str, within: str) -> bool:
    """Return whether a folder is in another one, at any depth, in any case."""
    return _is_below(_names(casefold_text(path)), _names(casefold_text(within)))


def folders_in(counts: Iterable[Count], within: str) -> list[FacetValue]:
    """Return the folders directly in a folder, by name, with the pictures in and below them."""
    top = _names(casefold_text(within))
    depth = len(top)
    found: Counter[str] = Counter()
    paths: dict[str, str] = {}
    below: dict[str, set[str]] = {}
    for path, count in counts:
        names, keys = _names(path), _names(casefold_text(path))
        if len(keys) != len(names) or not _is_below(keys, top):
            continue
        key = keys[depth]
        found[key] += count
        paths.setdefault(key, "/".join(names[: depth + 1]))
        if len(keys) > depth + 1:
            below.setdefault(key, set()).add(keys[depth + 1])
    return [FacetValue(paths[key], found[key], len(below.get(key, ()))) for key in sorted(found)]


def _is_below(names: list[str], top: list[str]) -> bool:
    return len(names) > len(top) and names[: len(top)] == top


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]


def _known(index: NumericIndex, mask: Flags | None) -> Flags:
    known = index.mask("exists", True)
    return known if mask is None else known & mask


def _tally(values: NDArray[Any]) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _day(microseconds: int) -> str:
    return str(np.datetime64(microseconds, "us").astype("datetime64[D]"))  # of any year
