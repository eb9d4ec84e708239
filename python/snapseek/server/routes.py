"""The endpoints: each reads its parameters, lets a worker ask the library, and hands over the answer."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from snapseek.server.answers import hits_answer, info_answer, json_answer, result
from snapseek.server.etags import is_held
from snapseek.server.originals import OriginalFile, find_original, redraw
from snapseek.server.parameters import (
    check_names,
    read_exact,
    read_id,
    read_query,
    read_terms,
    read_tower,
    read_width,
    read_window,
)
from snapseek.server.schema import openapi
from snapseek.server.workers import Workers

if TYPE_CHECKING:
    from starlette.requests import Request

    from snapseek.library import Library, Term
    from snapseek.server.originals import Original
    from snapseek.server.page import Page
    from snapseek.server.parameters import Window

_MAX_SEARCHERS = 4
_MAX_DECODERS = 2  # each may hold one whole picture, uncompressed
_KEEP_S = 86_400


class Endpoints:
    """What all endpoints share: the library, the page, and the threads that work for them."""

    def __init__(self, library: Library, page: Page, snapseek_version: str) -> None:
        self.library = library
        self.page = page
        self.snapseek_version = snapseek_version
        self.searchers = Workers(min(_MAX_SEARCHERS, os.cpu_count() or 1))
        self.decoders = Workers(_MAX_DECODERS)

    def routes(self) -> list[Route]:
        """The table of addresses. Those of the page itself are no part of the described interface."""
        return [
            Route("/api/search", self.search),
            Route("/api/items", self.items),
            Route("/api/items/{id}", self.item),
            Route("/api/image/{id}", self.image),
            Route("/api/info", self.info),
            Route("/api/openapi.json", self.describe),
            Route("/healthz", self.health),
            Route("/", self.show_page, include_in_schema=False),
            Route("/{name}", self.show_page, include_in_schema=False),
            Route("/assets/{name:path}", self.show_asset, include_in_schema=False),
        ]

    async def search(self, request: Request) -> Response:
        """The pictures that answer words, best first."""
        params = request.query_params
        check_names(params, ("q", "limit", "offset", "exact", "tower"))
        query, window = read_query(params), read_window(params)
        terms, exact, tower = read_terms(query), read_exact(params), read_tower(params)
        find = partial(self._find, query, terms, window, exact=exact, tower=tower)
        return await self.searchers.run(request, find)

    async def items(self, request: Request) -> Response:
        """The pictures in stored order."""
        params = request.query_params
        check_names(params, ("limit", "offset"))
        return await self.searchers.run(request, partial(self._list, read_window(params)))

    async def item(self, request: Request) -> Response:
        """One picture's entry."""
        check_names(request.query_params, ())
        item_id = read_id(request.path_params["id"])
        version = self.library.info().version
        return await self.searchers.run(
            request, lambda: json_answer(result(self.library.item(item_id), version))
        )

    async def image(self, request: Request) -> Response:
        """One picture's original, or a smaller JPEG of it."""
        params = request.query_params
        check_names(params, ("w", "v"))
        width, item_id = read_width(params), read_id(request.path_params["id"])
        original, caching = await self.searchers.run(request, partial(self._look, item_id, params.get("v")))
        headers = {"cache-control": caching, "etag": original.etag(width)}
        if is_held(request.headers, headers["etag"]):
            return Response(status_code=304, headers=headers)
        if original.is_sendable(width):
            if original.data is not None:
                return Response(original.data, headers=headers, media_type=original.media_type)
            return OriginalFile(original, headers)
        return await self._redrawn(request, original, width, headers)

    async def info(self, request: Request) -> Response:
        """The facts about the library."""
        check_names(request.query_params, ())
        return await self.searchers.run(request, self._tell)

    async def describe(self, request: Request) -> Response:
        """This interface, for machines."""
        check_names(request.query_params, ())
        return json_answer(openapi(self.snapseek_version))

    async def health(self, _request: Request) -> Response:
        """Whether the server is alive; whoever asks may send any parameter."""
        return json_answer({"status": "ok"})

    async def show_page(self, request: Request) -> Response:
        """`index.html` or a file beside it. Parameters belong to the page, which reads them itself."""
        return self.page.answer(request.path_params.get("name", "index.html"), request.headers)

    async def show_asset(self, request: Request) -> Response:
        """A script, a style sheet or a font of the page."""
        return self.page.answer("assets/" + request.path_params["name"], request.headers)

    def _find(self, query: str, terms: list[Term], window: Window, *, exact: bool, tower: str) -> Response:
        hits = self.library.search(terms, window.limit, offset=window.offset, exact=exact, tower=tower)
        return hits_answer(hits, query, self.library.info())

    def _list(self, window: Window) -> Response:
        hits = self.library.browse(window.limit, offset=window.offset)
        return hits_answer(hits, None, self.library.info())

    def _tell(self) -> Response:
        examples = self.library.encoder.examples  # before info, which tells what the loaded model runs on
        return info_answer(self.library.info(), examples, self.snapseek_version)

    def _look(self, item_id: int, version: str | None) -> tuple[Original, str]:
        original = find_original(self.library, item_id)
        # Ids of two libraries served at the same port mean different pictures, so a browser may keep one
        # without asking only under an address that names the library's version.
        if version is not None and version == self.library.info().version:
            return original, f"private, max-age={_KEEP_S}"
        return original, "private, no-cache"

    async def _redrawn(
        self, request: Request, original: Original, width: int | None, headers: dict[str, str]
    ) -> Response:
        data = await self.decoders.run(request, partial(redraw, original.data or original.path, width))
        return Response(data, headers=headers, media_type="image/jpeg")
