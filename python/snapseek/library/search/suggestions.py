"""Queries and filters worth offering: columns with their most frequent values, and frequent words."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.columns.numeric import NumericIndex
from snapseek.library.filters.typecheck import Kinds
from snapseek.library.search.bm25 import query_words
from snapseek.library.storage.shard_view import ShardView

_MAX_VALUES = 12
_MAX_EXAMPLES = 6
_MIN_EXAMPLES = 3
_VALUES_PER_SHARD = 50
"""The most frequent values of each shard are counted over all shards."""
_MAX_DISTINCT = 200
"""A column of the user with more distinct values is not offered."""
_SAMPLED_CAPTIONS = 4096
_SAMPLED_CHARACTERS = 1000
"""Of each sampled caption, so that long ones cost no more than a sentence or two."""
_CALLABLE = re.compile(r"[^\W\d][\w.-]*")
_WORD = re.compile(r"[^\W\d_]{3,}")
_STANDARD = {"folder": "in", "kind": "type", "tags": "tag", "camera": "camera"}
_NOT_OFFERED = frozenset({"id", "uri", "color", "caption", "name", "title"})


@dataclass(frozen=True)
class ColumnSuggestion:
    """A filter worth offering: `operator:value` for each of its values, the most frequent first."""

    name: str
    """The column."""
    operator: str
    values: list[tuple[str, int]]
    """Each with the number of pictures that have it; years in falling order."""


@dataclass(frozen=True)
class Suggestions:
    """Queries worth trying, and filters worth offering."""

    examples: list[str] = field(default_factory=list)
    columns: list[ColumnSuggestion] = field(default_factory=list)


def suggestions(parts: Sequence[ShardView], kinds: Kinds) -> Suggestions:
    """Return the suggestions for these shards; without captions and tags there are no examples."""
    found = [ColumnSuggestion("date", "year", _years(parts))]
    for column, operator in _STANDARD.items():
        if kinds.get(column) in ("text", "list"):
            found.append(ColumnSuggestion(column, operator, _frequent(parts, column)[:_MAX_VALUES]))
    for column, kind in kinds.items():
        if column in _STANDARD or column in _NOT_OFFERED or not _CALLABLE.fullmatch(column):
            continue
        values = _flags(parts, column) if kind == "flag" else _own(parts, column)
        found.append(ColumnSuggestion(column, column, values[:_MAX_VALUES]))
    return Suggestions(_examples(parts, kinds), [entry for entry in found if entry.values])


def _years(parts: Sequence[ShardView]) -> list[tuple[str, int]]:
    counts: Counter[int] = Counter()
    for part in parts:
        dates = part.shard.columns.date
        if dates is None:
            continue
        known = dates.mask("exists", True)
        moments = dates.values[known if part.alive is None else known & part.alive]
        years = moments.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970
        counts.update(
            dict(zip(*(part.tolist() for part in np.unique(years, return_counts=True)), strict=True))
        )
    return [(str(year), counts[year]) for year in sorted(counts, reverse=True)][:_MAX_VALUES]


def _frequent(parts: Sequence[ShardView], column: str) -> list[tuple[str, int]]:
    """Return the most frequent texts of a column with their numbers of pictures, in falling order."""
    counts: Counter[bytes] = Counter()
    shown: dict[bytes, str] = {}
    for part in parts:
        index = part.shard.columns.index(column)
        if isinstance(index, DictionaryIndex | LabelListIndex):
            numbers = index.counts(part.alive)
            for code in np.argsort(-numbers, kind="stable")[:_VALUES_PER_SHARD].tolist():
                key = index.vocabulary[code]
                shown.setdefault(key, index.shown[code].decode())
                counts[key] += int(numbers[code])
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [(shown[key], count) for key, count in ordered if count and key]


def _own(parts: Sequence[ShardView], column: str) -> list[tuple[str, int]]:
    """Return those of a column of the user, if its distinct values are few and mostly shared."""
    indexes = [
        part.shard.columns.index(column) for part in parts if part.shard.columns.kinds.get(column) == "text"
    ]
    choices = [index for index in indexes if isinstance(index, DictionaryIndex)]
    if len(choices) < len(indexes) or any(len(index.vocabulary) > _MAX_DISTINCT for index in choices):
        return []
    found = _frequent(parts, column)
    rows = sum(count for _, count in found)
    return found if len(found) > 1 and rows >= 2 * len(found) else []


def _flags(parts: Sequence[ShardView], column: str) -> list[tuple[str, int]]:
    counts = [0, 0]
    for part in parts:
        index = part.shard.columns.index(column)
        if isinstance(index, NumericIndex):
            for value in (0, 1):
                counts[value] += int(np.count_nonzero(_living(index.mask("=", value), part.alive)))
    return [(name, count) for name, count in (("yes", counts[1]), ("no", counts[0])) if count]


def _living(flags: Flags, alive: Flags | None) -> Flags:
    return flags if alive is None else flags & alive


def _examples(parts: Sequence[ShardView], kinds: Kinds) -> list[str]:
    """Return frequent words of captions, then tags."""
    counts: Counter[str] = Counter()
    for part in parts:
        if part.shard.columns.kinds.get("caption") == "text":
            for text in part.shard.records.texts("caption", _spread(len(part.shard))).to_pylist():
                words = query_words((text or "")[:_SAMPLED_CHARACTERS])
                counts.update(word for word in words if _WORD.fullmatch(word))
    found = [word for word, count in counts.most_common(_MAX_EXAMPLES) if count > 1]
    if kinds.get("tags") == "list":
        found += [tag for tag, _ in _frequent(parts, "tags") if tag.lower() not in found]
    return found[:_MAX_EXAMPLES] if len(found) >= _MIN_EXAMPLES else []


def _spread(rows: int) -> NDArray[np.int32]:
    """Return evenly spread rows of a shard."""
    return np.unique(np.linspace(0, max(0, rows - 1), min(rows, _SAMPLED_CAPTIONS)).astype(np.int32))
