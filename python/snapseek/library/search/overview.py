"""What a page shows of a whole library: suggestions, values of columns, months."""

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

from snapseek.library.filters.ast import Tree
from snapseek.library.filters.typecheck import Kinds
from snapseek.library.search.facets import Facet, Facets
from snapseek.library.search.request import ResolvedRequest, Where
from snapseek.library.search.suggestions import (
    Suggestions,
    SuggestionSource,
    suggestion_source,
    suggestions_of,
)
from snapseek.library.search.timeline import Timeline, timeline
from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shards import Shards
from snapseek.search_request import SearchRequest

_MAX_FILTERS = 8
"""Counts of recent filters are cached."""


class Overview:
    """The overview of one state of a library. Safe to use from many threads."""

    def __init__(
        self, shards: Shards, kinds: Kinds, selection_of: Callable[[Tree | None], Selection]
    ) -> None:
        self._shards = shards
        self._kinds = kinds
        self._selection_of = selection_of
        self._facets_of = lru_cache(_MAX_FILTERS)(self._facets)
        self._timeline_of = lru_cache(_MAX_FILTERS)(self._timeline)

    @cached_property
    def suggestions(self) -> Suggestions:
        """Queries and filters worth offering for these pictures."""
        return suggestions_of(self.suggestion_source)

    @cached_property
    def suggestion_source(self) -> SuggestionSource:
        """What the suggestions are made from."""
        self._shards.check_length()
        return suggestion_source(self._shards.parts, self._kinds, self._facets_of(None))

    def facet(self, column: str, where: Where | None, **page: Any) -> Facet:
        """Return a page of the values of a column; see `Facets.facet`."""
        self._shards.check_length()
        return self._facets_of(self._tree(where)).facet(column, **page)

    def timeline(self, where: Where | None, sort: str) -> Timeline:
        """Return the months of the pictures that match, in the order of `sort`, newest or oldest."""
        self._shards.check_length()
        return self._timeline_of(self._tree(where), sort)

    def _tree(self, where: Where | None) -> Tree | None:
        return ResolvedRequest.of(SearchRequest(where=where), self._kinds, may_be_empty=True).tree

    def _facets(self, tree: Tree | None) -> Facets:
        return Facets(self._shards.parts, self._kinds, self._selection_of(tree))

    def _timeline(self, tree: Tree | None, sort: str) -> Timeline:
        return timeline(self._shards.parts, self._selection_of(tree), newest_first=sort == "newest")
