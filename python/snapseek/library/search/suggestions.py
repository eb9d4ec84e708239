"""Queries and filters worth offering: columns with their most frequent values, and frequent words."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.filters.typecheck import DATE_ROLES, Kinds
from snapseek.library.search.bm25 import query_words
from snapseek.library.search.facets import OPERATORS, Count, Facets
from snapseek.library.storage.shard_view import ShardView

_MAX_VALUES = 12
_MAX_EXAMPLES = 6
_MIN_EXAMPLES = 3
_MAX_DISTINCT = 10_000
"""A column of the user with more distinct values is not offered."""
_MAX_WORDS = 200
_SAMPLED_CAPTIONS = 4096
_SAMPLED_CHARACTERS = 1000
"""Of each sampled caption, so that long ones cost no more than a sentence or two."""
_CALLABLE = re.compile(r"[^\W\d][\w.-]*")
_WORD = re.compile(r"[^\W\d_]{3,}")
_STANDARD = ("folder", "kind", "tags", "camera", "place", "country")
_NOT_OFFERED = frozenset({"id", "uri", "color", "caption", "name", "title"})
_WITHOUT_RANGE = frozenset({"latitude", "longitude", "taken_offset_minutes"})


@dataclass(frozen=True)
class ColumnSuggestion:
    """A filter worth offering: `operator:value` for each of its values, the most frequent first."""

    name: str
    """The column."""
    operator: str
    values: list[Count]
    """Each with the number of pictures that have it; years in falling order."""
    total: int = 0
    """The number of all values, of which these are the first."""


@dataclass(frozen=True)
class RangeSuggestion:
    """A column of numbers or dates, whose name is its filter: `name:low..high`."""

    name: str
    kind: str
    """`number` or `date`."""
    minimum: int | float | str
    maximum: int | float | str


@dataclass(frozen=True)
class Suggestions:
    """Queries worth trying, and filters worth offering."""

    examples: list[str] = field(default_factory=list)
    columns: list[ColumnSuggestion] = field(default_factory=list)
    ranges: list[RangeSuggestion] = field(default_factory=list)


@dataclass(frozen=True)
class ColumnCounts:
    """The values of a column, before it is known whether they are worth offering."""

    name: str
    operator: str
    values: list[Count]
    """The first ones."""
    total: int
    """The number of all different values."""
    rows: int
    """The sum of the counts of all."""
    kind: str = "text"
    """As of `Facet`: it decides the order of the values."""
    is_own: bool = False
    """Whether it is a column of the user, which is offered only if its values are few and mostly shared."""


@dataclass(frozen=True)
class SuggestionSource:
    """What suggestions are made from: of one library, or joined of several."""

    columns: list[ColumnCounts]
    words: list[Count]
    """Frequent words of captions, the most frequent first."""
    ranges: list[RangeSuggestion]
    """With those of a single value."""
    refused: frozenset[str] = frozenset()
    """Columns of the user with too many values to count."""


def suggestion_source(parts: Sequence[ShardView], kinds: Kinds, facets: Facets) -> SuggestionSource:
    """Count the values and words of these shards."""
    standard = [column for column in _STANDARD if kinds.get(column) in ("text", "list")]
    found = [_counts("date", "year", facets.counts("year"), "year")]
    found.append(_counts("month", "date", facets.counts("month"), "month"))
    found += [_counts(column, OPERATORS.get(column, column), facets.counts(column)) for column in standard]
    if kinds.get("rating") == "number":
        found.append(_counts("rating", "rating", facets.counts("rating"), "number"))
    known = {entry.name for entry in found} | _NOT_OFFERED
    own = [column for column in kinds if column not in known and _CALLABLE.fullmatch(column)]
    refused = {
        column for column in own if kinds[column] in ("text", "list") and not _is_listed(parts, column)
    }
    for column in own:
        if kinds[column] == "flag":
            found.append(_counts(column, column, facets.counts(column), "flag"))
        elif kinds[column] in ("text", "list") and column not in refused:
            found.append(_counts(column, column, facets.counts(column), is_own=True))
    words = _caption_words(parts).most_common(_MAX_WORDS)
    return SuggestionSource(found, words, _ranges(own, kinds, facets), frozenset(refused))


def suggestions_of(source: SuggestionSource) -> Suggestions:
    """Choose what is worth offering; without captions and tags there are no examples."""
    columns = [
        ColumnSuggestion(entry.name, entry.operator, entry.values[:_MAX_VALUES], entry.total)
        for entry in source.columns
        if entry.values and entry.name not in source.refused and (not entry.is_own or _is_shared(entry))
    ]
    ranges = [entry for entry in source.ranges if entry.minimum != entry.maximum]
    return Suggestions(_examples(source), columns, ranges)


def _counts(
    column: str, operator: str, values: list[Count], kind: str = "text", *, is_own: bool = False
) -> ColumnCounts:
    rows = sum(count for _, count in values)
    return ColumnCounts(column, operator, values, len(values), rows, kind, is_own)


def _is_shared(entry: ColumnCounts) -> bool:
    return entry.total > 1 and entry.rows >= 2 * entry.total


def _ranges(columns: Iterable[str], kinds: Kinds, facets: Facets) -> list[RangeSuggestion]:
    """Return the ranges of the columns of numbers and dates."""
    found = []
    for column in columns:
        is_number = kinds[column] == "number" and column not in _WITHOUT_RANGE
        if is_number or (kinds[column] == "date" and column not in DATE_ROLES):
            low, high = facets.bounds(column)
            if low is not None and high is not None:
                found.append(RangeSuggestion(column, kinds[column], low, high))
    return found


def _is_listed(parts: Sequence[ShardView], column: str) -> bool:
    """Return whether the values of a column of the user are few in every shard."""
    kinds = ("text", "list")
    indexes = [
        part.shard.columns.index(column) for part in parts if part.shard.columns.kinds.get(column) in kinds
    ]
    choices = [index for index in indexes if isinstance(index, DictionaryIndex | LabelListIndex)]
    is_choice = len(choices) == len(indexes)
    return is_choice and all(len(index.vocabulary) <= _MAX_DISTINCT for index in choices)


def _caption_words(parts: Sequence[ShardView]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for part in parts:
        if part.shard.columns.kinds.get("caption") == "text":
            for text in part.shard.records.texts("caption", _spread(len(part.shard))).to_pylist():
                words = query_words((text or "")[:_SAMPLED_CHARACTERS])
                counts.update(word for word in words if _WORD.fullmatch(word))
    return counts


def _examples(source: SuggestionSource) -> list[str]:
    """Return frequent words of captions, then tags."""
    found = [word for word, count in source.words[:_MAX_EXAMPLES] if count > 1]
    for entry in source.columns:
        if entry.name == "tags":
            found += [tag for tag, _ in entry.values if tag.lower() not in found]
    return found[:_MAX_EXAMPLES] if len(found) >= _MIN_EXAMPLES else []


def _spread(rows: int) -> NDArray[np.int32]:
    """Return evenly spread rows of a shard."""
    return np.unique(np.linspace(0, max(0, rows - 1), min(rows, _SAMPLED_CAPTIONS)).astype(np.int32))
