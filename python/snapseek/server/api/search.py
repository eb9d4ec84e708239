"""The endpoints that answer with lists of pictures."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from snapseek.library import Term
from snapseek.search_request import SORTS, check_choice
from snapseek.server.api.parameters import MAX_OFFSET, check_names, read_id, read_ids, read_integer
from snapseek.server.api.request_body import read_object
from snapseek.server.api.responses import hits_answer
from snapseek.server.api.search_request import (
    URL_NAMES,
    entity_tag,
    request_from_body,
    request_from_url,
)
from snapseek.server.api.uploads import read_pictures
from snapseek.server.headers import is_held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from snapseek.search_request import SearchRequest
    from snapseek.server.state import ServerState

SIMILAR_NAMES = ("where", "limit", "offset", "dedup", "include")
LIST_NAMES = ("where", "sort", "limit", "offset", "include", "ids")
STORED_SORTS = ("stored", *SORTS[1:])


class SearchEndpoints:
    """Search, similar pictures, and pictures in stored order."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Return the routes of these endpoints."""
        return [
            Route("/api/search", self.search, methods=["GET", "POST"]),
            Route("/api/items", self.items),
            Route("/api/items/{id}/similar", self.similar),
        ]

    async def search(self, request: Request) -> Response:
        """Answer with the pictures that fit a query, best first."""
        params = request.query_params
        if request.method == "POST":
            check_names(params, ())
            with self._state.budget.reserve() as reservation:
                search = await read_object(request, self._state, reservation, request_from_body)
                terms = await read_pictures(request, self._state, search.terms, reservation)
                return await self._run(request, replace(search, terms=terms))
        check_names(params, URL_NAMES)
        return await self._cached(request, request_from_url(params))

    async def similar(self, request: Request) -> Response:
        """Answer with the pictures that are most similar to a picture of the library."""
        params = request.query_params
        check_names(params, SIMILAR_NAMES)
        term = Term(read_id(request.path_params["id"]))
        return await self._cached(request, request_from_url(params, SIMILAR_NAMES, terms=(term,)))

    async def items(self, request: Request) -> Response:
        """Answer with the pictures in stored order or by a sort, or with those of the given ids."""
        params = request.query_params
        if "ids" in params:
            check_names(params, ("include", "ids"))
            include = request_from_url(params, ("include",)).include
            work = partial(self._get_many, read_ids(params["ids"]), include)
            return await self._state.searchers.run(request, work)
        check_names(params, LIST_NAMES)
        sort = params.get("sort", "stored")
        check_choice("sort", sort, STORED_SORTS)
        names = [name for name in LIST_NAMES if name not in ("sort", "offset", "ids")]
        search = request_from_url(params, names, sort=SORTS[0] if sort == "stored" else sort)
        search = replace(search, offset=read_integer(params, "offset", 0, MAX_OFFSET, 0))
        return await self._state.searchers.run(request, partial(self._browse, search))

    async def _cached(self, request: Request, search: SearchRequest) -> Response:
        """Search, or answer 304 where the client holds the answer of this library's version."""
        tag = entity_tag(search, self._state.library.version)
        if is_held(request.headers, tag.removeprefix("W/")):
            return Response(status_code=304, headers={"etag": tag, "cache-control": "private, no-cache"})
        return await self._run(request, search, is_tagged=True)

    async def _run(self, request: Request, search: SearchRequest, *, is_tagged: bool = False) -> Response:
        return await self._state.searchers.run(
            request, partial(self._find, search, is_tagged=is_tagged), search
        )

    def _find(self, search: SearchRequest, *, is_tagged: bool) -> Response:
        library = self._state.library
        hits = library.search(search)
        # The tag is of the state that answered, which may be newer than the one that was compared before.
        headers = {"etag": entity_tag(search, hits.version)} if is_tagged else {}
        return hits_answer(hits, search.query, library.info(), search.include, headers)

    def _get_many(self, ids: list[int], include: Sequence[str]) -> Response:
        library = self._state.library
        return hits_answer(library.get_many(ids), None, library.info(), include)

    def _browse(self, search: SearchRequest) -> Response:
        library = self._state.library
        hits = library.browse(search.limit, offset=search.offset, where=search.where, sort=search.sort)
        return hits_answer(hits, None, library.info(), search.include)
