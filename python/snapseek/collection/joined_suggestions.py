"""The suggestions of several libraries as one: values with the sums of their counts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from snapseek.library.filters.text_normalize import casefold_text
from snapseek.library.search.suggestions import ColumnSuggestion, Suggestions

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_EXAMPLES = 6
_MAX_VALUES = 12


def joined_suggestions(parts: Sequence[Suggestions]) -> Suggestions:
    """Return the suggestions of several libraries, values with the sums of their counts."""
    examples = list(dict.fromkeys(text for part in parts for text in part.examples))
    columns: dict[tuple[str, str], Counter[str]] = {}
    shown: dict[str, str] = {}
    for part in parts:
        for column in part.columns:
            counts = columns.setdefault((column.name, column.operator), Counter())
            for value, count in column.values:  # as the first partition spells it
                counts[shown.setdefault(casefold_text(value), value)] += count
    return Suggestions(
        examples[:_MAX_EXAMPLES],
        [
            ColumnSuggestion(name, operator, _first_values(operator, counts))
            for (name, operator), counts in columns.items()
        ],
    )


def _first_values(operator: str, counts: Counter[str]) -> list[tuple[str, int]]:
    """Return the most frequent values; years in falling order."""
    order = (lambda pair: pair[0]) if operator == "year" else (lambda pair: pair[1])
    return sorted(counts.items(), key=order, reverse=True)[:_MAX_VALUES]
