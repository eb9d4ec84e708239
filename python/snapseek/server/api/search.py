"""The endpoints that answer with lists of pictures."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from snapseek.library import Term
from snapseek.library.encoders import TOWERS
from snapseek.server.api.parameters import (
    MODES,
    QUESTION_FIELDS,
    SORTS,
    check_names,
    read_choice,
    read_flag,
    read_id,
    read_ids,
    read_include,
    read_number,
    read_query,
    read_where,
    read_window,
)
from snapseek.server.api.request_body import read_object
from snapseek.server.api.responses import hits_answer, suggestions_answer
from snapseek.server.api.search_request import Asking, Question, question_of
from snapseek.server.api.uploads import read_pictures
from snapseek.server.etags import is_held

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request

    from snapseek.server.state import ServerState


class SearchEndpoints:
    """Search by words, pictures and filters, the stored order, and the like of a picture."""

    def __init__(self, service: ServerState) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/api/search", self.search, methods=["GET", "POST"]),
            Route("/api/items", self.items),
            Route("/api/items/{id}/similar", self.similar),
            Route("/api/suggestions", self.suggestions),
        ]

    async def search(self, request: Request) -> Response:
        """The pictures that answer a question, best first."""
        if request.method == "POST":
            check_names(request.query_params, ())
            with self._service.budget.reserve() as reservation:
                question = await read_object(request, self._service, reservation, question_of)
                terms = await read_pictures(request, self._service, question.pictures, reservation)
                return await self._run(request, question, terms)
        return await self._cached(request, _question(request.query_params))

    async def similar(self, request: Request) -> Response:
        """The pictures that are most like one of the library."""
        params = request.query_params
        check_names(params, ("limit", "offset", "where", "dedup", "include"))
        item_id = read_id(request.path_params["id"])
        question = Question(
            read_window(params),
            terms=(Term(item_id),),
            where=read_where(params),
            fold=read_flag(params, "dedup"),
            include=read_include(params),
        )
        return await self._cached(request, question)

    async def items(self, request: Request) -> Response:
        """The pictures in stored order, or in another; or those that are named."""
        params = request.query_params
        if "ids" in params:
            check_names(params, ("ids", "include"))
            named = partial(self._named, read_ids(params["ids"]), read_include(params))
            return await self._service.searchers.run(request, named)
        check_names(params, ("limit", "offset", "where", "sort", "include", "ids"))
        sort = read_choice(params, "sort", ("stored", *SORTS[1:]))
        question = Question(
            read_window(params), where=read_where(params), sort=sort, include=read_include(params)
        )
        return await self._service.searchers.run(request, partial(self._list, question))

    async def suggestions(self, request: Request) -> Response:
        """What can be asked: queries worth trying, and columns with their most frequent values."""
        check_names(request.query_params, ())
        library = self._service.library
        return await self._service.searchers.run(request, lambda: suggestions_answer(library.suggestions()))

    async def _cached(self, request: Request, question: Question) -> Response:
        """The answer, or 304 where the client holds that of this library's version already."""
        tag = question.tag(self._service.library.version)
        if is_held(request.headers, tag.removeprefix("W/")):
            return Response(status_code=304, headers={"etag": tag, "cache-control": "private, no-cache"})
        return await self._run(request, question, tagged=True)

    async def _run(
        self, request: Request, question: Question, pictures: tuple[Term, ...] = (), *, tagged: bool = False
    ) -> Response:
        asking = Asking(self._service.library, question, pictures)
        work = partial(self._find, question, asking, tagged=tagged)
        return await self._service.searchers.run(request, work, asking)

    def _find(self, question: Question, asking: Asking, *, tagged: bool) -> Response:
        hits, filters = asking.find()
        # The tag is of the state that answered, which may be newer than the one that was looked at before.
        headers = {"etag": question.tag(hits.version)} if tagged else {}
        info = self._service.library.info()
        return hits_answer(hits, question.typed, info, filters, question.include, headers)

    def _named(self, ids: list[int], include: frozenset[str]) -> Response:
        """The pictures of these ids, in their order; the library may have lost some since they were told."""
        library = self._service.library
        return hits_answer(library.get_many(ids), None, library.info(), (), include)

    def _list(self, question: Question) -> Response:
        library, window = self._service.library, question.window
        sort = None if question.sort == "stored" else question.sort
        hits = library.browse(window.limit, offset=window.offset, where=question.where, sort=sort)
        return hits_answer(hits, None, library.info(), (), question.include)


def _question(params: QueryParams) -> Question:
    check_names(params, QUESTION_FIELDS)
    asked = Question(
        read_window(params),
        where=read_where(params),
        sort=read_choice(params, "sort", SORTS),
        min_score=read_number(params, "min_score"),
        fold=read_flag(params, "dedup"),
        mode=read_choice(params, "mode", MODES),
        exact=read_flag(params, "exact"),
        tower=read_choice(params, "tower", TOWERS),
        include=read_include(params),
    )
    if asked.where is not None and not params.get("q", "").strip():
        return asked
    return replace(asked, typed=read_query(params))
