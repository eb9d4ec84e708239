"""What a page shows of a whole collection: suggestions, values of columns and months of all partitions."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from typing import Any, Protocol, TypeVar

from snapseek.collection.frames import Frame
from snapseek.collection.overview_answers import ColumnValues, column_values_of, suggestions_of, timeline_of
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
from snapseek.library.search.suggestions import ColumnSuggestion, RangeSuggestion, Suggestions
from snapseek.library.search.timeline import Month, Timeline
from snapseek.search_request import SearchRequest

T = TypeVar("T")
_MAX_EXAMPLES = 6
_MAX_VALUES = 12
_FALLING = ("year", "month", "number")
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
        return _joined_suggestions(self._answers({"op": "suggestions"}, suggestions_of))

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
        fields = {"op": "timeline", "tree": self._tree(where)}
        return _joined_timelines(self._answers(fields, timeline_of), newest_first=sort == "newest")

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
        return sorted(counts, key=lambda pair: float(pair[0]) if kind == "number" else pair[0], reverse=True)
    return sorted(counts, key=lambda pair: (-pair[1], casefold_text(pair[0])))


def _are_too_many(parts: Iterable[ColumnValues], count: int, *, is_part: bool) -> bool:
    """Return whether a column has more different numbers than are listed: then only its range is given.

    A partition with too many lists none; with `is_part` it may also have none that contains a text.
    """
    is_cut = any(not part.values and part.minimum is not None for part in parts)
    return count > MAX_NUMBERS or (is_cut and not is_part)


def _joined_timelines(parts: Sequence[Timeline], *, newest_first: bool) -> Timeline:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update({month.month: month.count for month in part.months})
    months, before = [], 0
    for name in sorted(counts, reverse=newest_first):
        months.append(Month(name, counts[name], before))
        before += counts[name]
    return Timeline(tuple(months), sum(part.total for part in parts), sum(part.undated for part in parts))


def _joined_suggestions(parts: Sequence[Suggestions]) -> Suggestions:
    """Return the suggestions of several libraries, values with the sums of their counts."""
    examples = list(dict.fromkeys(text for part in parts for text in part.examples))
    columns: dict[tuple[str, str], Counter[str]] = {}
    totals: Counter[tuple[str, str]] = Counter()
    shown: dict[str, str] = {}
    ranges: dict[tuple[str, str], list[tuple[Any, Any]]] = {}
    for part in parts:
        for column in part.columns:
            counts = columns.setdefault((column.name, column.operator), Counter())
            totals[column.name, column.operator] = max(totals[column.name, column.operator], column.total)
            for value, count in column.values:  # as the first partition spells it
                counts[shown.setdefault(casefold_text(value), value)] += count
        for one in part.ranges:
            ranges.setdefault((one.name, one.kind), []).append((one.minimum, one.maximum))
    return Suggestions(
        examples[:_MAX_EXAMPLES],
        [
            ColumnSuggestion(
                name,
                operator,
                _first_values(name, operator, counts),
                max(totals[name, operator], len(counts)),
            )
            for (name, operator), counts in columns.items()
        ],
        [RangeSuggestion(name, kind, *_ends(found)) for (name, kind), found in ranges.items()],
    )


def _first_values(name: str, operator: str, counts: Counter[str]) -> list[tuple[str, int]]:
    """Return the most frequent values; years and months in falling order."""
    is_falling = operator == "year" or name == "month"
    order = (lambda pair: pair[0]) if is_falling else (lambda pair: pair[1])
    return sorted(counts.items(), key=order, reverse=True)[:_MAX_VALUES]


def _ends(ranges: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    known = [pair for pair in ranges if pair[0] is not None and pair[1] is not None]
    if not known or len({isinstance(end, str) for pair in known for end in pair}) > 1:
        return None, None
    return min(low for low, _ in known), max(high for _, high in known)
