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


def suggestions(parts: Sequence[ShardView], kinds: Kinds, facets: Facets) -> Suggestions:
    """Return the suggestions for these shards; without captions and tags there are no examples."""
    standard = [column for column in _STANDARD if kinds.get(column) in ("text", "list")]
    found = [_offered("date", "year", facets.counts("year"))]
    found.append(_offered("month", "date", facets.counts("month")))
    found += [_offered(column, OPERATORS.get(column, column), facets.counts(column)) for column in standard]
    if kinds.get("rating") == "number":
        found.append(_offered("rating", "rating", facets.counts("rating")))
    known = {entry.name for entry in found} | _NOT_OFFERED
    own = [column for column in kinds if column not in known and _CALLABLE.fullmatch(column)]
    for column in own:
        if kinds[column] in ("text", "list", "flag"):
            values = facets.counts(column) if kinds[column] == "flag" else _own(parts, column, facets)
            found.append(_offered(column, column, values))
    examples = _examples(parts, kinds, facets)
    return Suggestions(examples, [entry for entry in found if entry.values], _ranges(own, kinds, facets))


def _offered(column: str, operator: str, values: list[Count]) -> ColumnSuggestion:
    return ColumnSuggestion(column, operator, values[:_MAX_VALUES], len(values))


def _ranges(columns: Iterable[str], kinds: Kinds, facets: Facets) -> list[RangeSuggestion]:
    """Return the ranges of the columns of numbers and dates whose values differ."""
    found = []
    for column in columns:
        is_number = kinds[column] == "number" and column not in _WITHOUT_RANGE
        if is_number or (kinds[column] == "date" and column not in DATE_ROLES):
            low, high = facets.bounds(column)
            if low is not None and high is not None and low != high:
                found.append(RangeSuggestion(column, kinds[column], low, high))
    return found


def _own(parts: Sequence[ShardView], column: str, facets: Facets) -> list[Count]:
    """Return the values of a column of the user, if they are few and mostly shared."""
    kinds = ("text", "list")
    indexes = [
        part.shard.columns.index(column) for part in parts if part.shard.columns.kinds.get(column) in kinds
    ]
    choices = [index for index in indexes if isinstance(index, DictionaryIndex | LabelListIndex)]
    if len(choices) < len(indexes) or any(len(index.vocabulary) > _MAX_DISTINCT for index in choices):
        return []
    found = facets.counts(column)
    rows = sum(count for _, count in found)
    return found if len(found) > 1 and rows >= 2 * len(found) else []


def _examples(parts: Sequence[ShardView], kinds: Kinds, facets: Facets) -> list[str]:
    """Return frequent words of captions, then tags."""
    counts: Counter[str] = Counter()
    for part in parts:
        if part.shard.columns.kinds.get("caption") == "text":
            for text in part.shard.records.texts("caption", _spread(len(part.shard))).to_pylist():
                words = query_words((text or "")[:_SAMPLED_CHARACTERS])
                counts.update(word for word in words if _WORD.fullmatch(word))
    found = [word for word, count in counts.most_common(_MAX_EXAMPLES) if count > 1]
    if kinds.get("tags") == "list":
        found += [tag for tag, _ in facets.counts("tags") if tag.lower() not in found]
    return found[:_MAX_EXAMPLES] if len(found) >= _MIN_EXAMPLES else []


def _spread(rows: int) -> NDArray[np.int32]:
    """Return evenly spread rows of a shard."""
    return np.unique(np.linspace(0, max(0, rows - 1), min(rows, _SAMPLED_CAPTIONS)).astype(np.int32))
