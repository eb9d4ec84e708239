"""The table of addresses: every endpoint reads its parameters, lets a worker ask the library, and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from snapseek.server.api.clip_retrieval import ClipRetrievalEndpoints
from snapseek.server.api.docs_page import DocsPageEndpoints
from snapseek.server.api.search import SearchEndpoints
from snapseek.server.api.system import SystemEndpoints
from snapseek.server.images.image_endpoints import ImageEndpoints

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.server.metrics import Metrics
    from snapseek.server.page import Page
    from snapseek.server.state import ServerState


def routes(service: ServerState, page: Page, metrics: Metrics) -> list[Route]:
    """All routes. Those of the page itself are no part of the described interface."""
    return [
        *SearchEndpoints(service).routes(),
        *ImageEndpoints(service).routes(),
        *SystemEndpoints(service, metrics).routes(),
        *ClipRetrievalEndpoints(service).routes(),
        *DocsPageEndpoints().routes(),
        *PageEndpoints(page).routes(),
    ]


class PageEndpoints:
    """The files of the page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def routes(self) -> list[Route]:
        """Their addresses: the last ones, for they take every name."""
        return [
            Route("/", self.show_page, include_in_schema=False),
            Route("/{name}", self.show_page, include_in_schema=False),
            Route("/assets/{name:path}", self.show_asset, include_in_schema=False),
        ]

    async def show_page(self, request: Request) -> Response:
        """`index.html` or a file beside it. Parameters belong to the page, which reads them itself."""
        return self._page.answer(request.path_params.get("name", "index.html"), request.headers)

    async def show_asset(self, request: Request) -> Response:
        """A script, a style sheet or a font of the page."""
        return self._page.answer("assets/" + request.path_params["name"], request.headers)
