"""The endpoints of an overview of the library: suggestions, values of columns, months."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Route

from snapseek.errors import MissingArgumentError, OutOfRangeError
from snapseek.search_request import check_choice
from snapseek.server.api.parameters import MAX_OFFSET, check_names, excerpt, read_integer
from snapseek.server.api.responses import json_answer, suggestions_answer
from snapseek.server.api.search_request import request_from_url

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.server.state import ServerState

FACET_NAMES = ("column", "where", "contains", "within", "limit", "offset")
TIMELINE_NAMES = ("where", "sort")
TIMELINE_SORTS = ("newest", "oldest")
MAX_VALUES = 1000
DEFAULT_VALUES = 100
MAX_TEXT_CHARACTERS = 1000


class OverviewEndpoints:
    """What a page shows of the whole library."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Return the routes of these endpoints."""
        return [
            Route("/api/suggestions", self.suggestions),
            Route("/api/facets", self.facets),
            Route("/api/timeline", self.timeline),
        ]

    async def suggestions(self, request: Request) -> Response:
        """Answer with queries worth trying, and columns with their most frequent values."""
        check_names(request.query_params, ())
        library = self._state.library
        return await self._state.searchers.run(request, lambda: suggestions_answer(library.suggestions()))

    async def facets(self, request: Request) -> Response:
        """Answer with a page of the values of a column, or of the folders in a folder."""
        params = request.query_params
        check_names(params, FACET_NAMES)
        column = params.get("column")
        if column is None:
            raise MissingArgumentError(
                expected="the parameter column", got="none", hint="as in ?column=folder&within="
            )
        where = request_from_url(params, ("where",)).where
        read = partial(
            self._state.library.facet,
            column,
            where=where,
            contains=_text(params, "contains") or "",
            within=_text(params, "within"),
            limit=read_integer(params, "limit", 1, MAX_VALUES, DEFAULT_VALUES),
            offset=read_integer(params, "offset", 0, MAX_OFFSET, 0),
        )
        return await self._state.searchers.run(request, lambda: json_answer(asdict(read())))

    async def timeline(self, request: Request) -> Response:
        """Answer with the months of the pictures, in the order of their dates."""
        params = request.query_params
        check_names(params, TIMELINE_NAMES)
        sort = params.get("sort", TIMELINE_SORTS[0])
        check_choice("sort", sort, TIMELINE_SORTS)
        where = request_from_url(params, ("where",)).where
        read = partial(self._state.library.timeline, where=where, sort=sort)
        return await self._state.searchers.run(request, lambda: json_answer(asdict(read())))


def _text(params: QueryParams, name: str) -> str | None:
    text = params.get(name)
    if text is not None and len(text) > MAX_TEXT_CHARACTERS:
        raise OutOfRangeError(
            expected=f"{name} of up to {MAX_TEXT_CHARACTERS} characters", got=excerpt(len(text))
        )
    return text
