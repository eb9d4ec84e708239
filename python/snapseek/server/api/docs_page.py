"""A page with a form for every operation of the OpenAPI document, at `/api/docs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.routing import Route

from snapseek.server.api.parameters import check_names
from snapseek.server.page import Page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

DOCS_PAGE = Path(__file__).parent / "docs"


class DocsPageEndpoints:
    """The three files of that page, which are part of the package and need no build."""

    def __init__(self) -> None:
        self._page = Page(DOCS_PAGE)

    def routes(self) -> list[Route]:
        """Return the routes of these endpoints, which the OpenAPI document leaves out."""
        return [
            Route("/api/docs", self.show, include_in_schema=False),
            Route("/api/docs/{name}", self.show, include_in_schema=False),
        ]

    async def show(self, request: Request) -> Response:
        """Answer with `index.html`, or with one of the files that it names."""
        check_names(request.query_params, ())
        return self._page.answer(request.path_params.get("name", "index.html"), request.headers)
