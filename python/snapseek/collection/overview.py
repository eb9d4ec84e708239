"""What a page shows of a whole collection: suggestions, values of columns and months of all partitions."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, Protocol, TypeVar

import numpy as np

from snapseek.collection.frames import Frame
from snapseek.collection.overview_answers import (
    ColumnValues,
    before_of,
    column_values_of,
    months_of,
    suggestion_source_of,
)
from snapseek.collection.query import PartitionQuery
from snapseek.collection.tree_json import tree_to_json
from snapseek.library.filters.text_normalize import casefold_text
from snapseek.library.filters.typecheck import Kinds
from snapseek.library.search.facets import (
    MAX_NUMBERS,
    OPERATORS,
    Count,
    Facet,
    FacetValue,
    checked_column,
    containing,
    folders_in,
)
from snapseek.library.search.request import ResolvedRequest, Where
from snapseek.library.search.suggestions import (
    ColumnCounts,
    RangeSuggestion,
    Suggestions,
    SuggestionSource,
    suggestions_of,
)
from snapseek.library.search.timeline import Month, Timeline
from snapseek.search_request import SearchRequest

T = TypeVar("T")
_FALLING = ("year", "month", "number", "flag")
"""The kinds of columns whose values are listed from the largest on."""


class Attempts(Protocol):
    """Runs a function over the partitions that answer; see `CollectionSnapshot`."""

    def __call__(self, attempt: Callable[[PartitionQuery], T]) -> T:
        """Return what the function returns; it is called again without a partition that fails."""


class CollectionOverview:
    """The interface of a library's `Overview`, for one state of a collection."""

    def __init__(self, kinds: Kinds, attempted: Attempts) -> None:
        self._kinds = kinds
        self._attempted = attempted

    @cached_property
    def suggestions(self) -> Suggestions:
        """Queries and filters worth offering: those of all partitions, the most frequent first."""
        parts = self._answers({"op": "suggestions"}, suggestion_source_of)
        return suggestions_of(_joined_source(parts, self._kinds))

    def facet(
        self,
        column: str,
        where: Where | None,
        *,
        contains: str = "",
        within: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Facet:
        """Return a page of the values of a column; see `Facets.facet`.

        A value that is beyond the first 10,000 of a partition does not count there.
        """
        column, kind = checked_column(column, self._kinds)
        is_tree = column == "folder" and within is not None
        fields = {
            "op": "facet",
            "column": column,
            "kind": kind,
            "contains": "" if is_tree else contains,
            "within": within if is_tree else None,
            "tree": self._tree(where),
        }
        parts = self._answers(fields, column_values_of)
        counts = _in_order(_joined([part.values for part in parts]), kind)
        if kind == "number" and _are_too_many(parts, len(counts), is_part=bool(contains)):
            counts = []
        values = [FacetValue(value, count) for value, count in counts]
        if within is not None and is_tree:
            values = containing(folders_in(counts, within), contains)
        page = tuple(values[offset : offset + limit])
        low, high = _ends([(part.minimum, part.maximum) for part in parts])
        return Facet(column, OPERATORS.get(column, column), kind, len(values), page, low, high)

    def timeline(self, where: Where | None, sort: str) -> Timeline:
        """Return the months of the pictures that match, in the order of `sort`, newest or oldest.

        The offset of a month is the number of pictures of the months before it.
        """
        frame = Frame({"op": "timeline", "tree": self._tree(where), "newest_first": sort == "newest"})
        return self._attempted(partial(_timeline, frame))

    def _answers(self, fields: dict[str, Any], parse: Callable[[Frame], T]) -> list[T]:
        return self._attempted(partial(_ask_all, Frame(fields), parse))

    def _tree(self, where: Where | None) -> Any:
        return tree_to_json(
            ResolvedRequest.of(SearchRequest(where=where), self._kinds, may_be_empty=True).tree
        )


def _ask_all(frame: Frame, parse: Callable[[Frame], T], query: PartitionQuery) -> list[T]:
    return list(query.ask_all(frame.fields["op"], frame, lambda answer, _: parse(answer)).values())


def _joined(parts: Iterable[Iterable[Count]]) -> list[Count]:
    """Return the values of several libraries with the sums of their counts, as the first one spells them."""
    counts: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for part in parts:
        for value, count in part:
            counts[shown.setdefault(casefold_text(value), value)] += count
    return list(counts.items())


def _in_order(counts: Iterable[Count], kind: str) -> list[Count]:
    """Return values in the order of `Facets.facet`."""
    if kind in _FALLING:
        return sorted(
            counts, key=lambda pair: _number(pair[0]) if kind == "number" else pair[0], reverse=True
        )
    return sorted(counts, key=lambda pair: (-pair[1], casefold_text(pair[0])))


def _number(text: str) -> float:
    """Return a number as a partition has written it; the smallest for anything else."""
    with suppress(ValueError):
        return float(text)
    return -math.inf


def _are_too_many(parts: Iterable[ColumnValues], count: int, *, is_part: bool) -> bool:
    """Return whether a column has more different numbers than are listed: then only its range is given.

    A partition with too many lists none; with `is_part` it may also have none that contains a text.
    """
    is_cut = any(not part.values and part.minimum is not None for part in parts)
    return count > MAX_NUMBERS or (is_cut and not is_part)


def _timeline(frame: Frame, query: PartitionQuery) -> Timeline:
    """Join the months of partitions, then count what all of them have before the first picture of each."""
    parts = list(query.ask_all("months", frame, lambda answer, _: months_of(answer)).values())
    counts: Counter[str] = Counter()
    first: dict[str, int] = {}
    for part in parts:
        for name, (count, key) in part.months.items():
            counts[name] += count
            first[name] = min(key, first.get(name, key))
    names = sorted(counts, reverse=frame.fields["newest_first"])
    keys = np.array([first[name] for name in names], np.int64)
    before = query.ask_all(
        "before", frame.with_array("keys", keys), lambda answer, _: before_of(answer, len(names))
    )
    offsets = [sum(numbers) for numbers in zip(*before.values(), strict=True)]
    months = tuple(Month(name, counts[name], offset) for name, offset in zip(names, offsets, strict=True))
    return Timeline(months, sum(part.total for part in parts), sum(part.undated for part in parts))


def _joined_source(parts: Sequence[SuggestionSource], kinds: Kinds) -> SuggestionSource:
    """Return what suggestions are made from, of all partitions: values with the sums of their counts."""
    columns: dict[tuple[str, str], list[ColumnCounts]] = {}
    ranges: dict[tuple[str, str], list[tuple[Any, Any]]] = {}
    for part in parts:
        for column in part.columns:
            if _has_kind(column, kinds):
                columns.setdefault((column.name, column.operator), []).append(column)
        for one in part.ranges:
            if kinds.get(one.name) == one.kind:
                ranges.setdefault((one.name, one.kind), []).append((one.minimum, one.maximum))
    return SuggestionSource(
        list(map(_joined_column, columns.values())),
        _in_order(_joined([part.words for part in parts]), "text"),
        [
            RangeSuggestion(name, kind, low, high)
            for (name, kind), found in ranges.items()
            for low, high in [_ends(found)]
            if low is not None and high is not None
        ],
        frozenset().union(*(part.refused for part in parts)),
    )


def _has_kind(column: ColumnCounts, kinds: Kinds) -> bool:
    """Return whether a partition has a column of the user as the collection has it."""
    if column.is_own or column.kind == "flag":
        return kinds.get(column.name) in (("text", "list") if column.is_own else ("flag",))
    return True


def _joined_column(parts: Sequence[ColumnCounts]) -> ColumnCounts:
    """Return a column of several libraries. The total is a lower bound where values were cut."""
    first = parts[0]
    values = _in_order(_joined([part.values for part in parts]), first.kind)
    return ColumnCounts(
        first.name,
        first.operator,
        values,
        max(len(values), *(part.total for part in parts)),
        sum(part.rows for part in parts),
        first.kind,
        first.is_own,
    )


def _ends(ranges: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    known = [pair for pair in ranges if pair[0] is not None and pair[1] is not None]
    if not known or len({isinstance(end, str) for pair in known for end in pair}) > 1:
        return None, None
    return min(low for low, _ in known), max(high for _, high in known)
