"""A page to try the interface with: a form for every operation of the served document, at `/api/docs`."""

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
    """The three files of that page, which come with the package and are not built."""

    def __init__(self) -> None:
        self._page = Page(DOCS_PAGE)

    def routes(self) -> list[Route]:
        """Their addresses, which are no part of the described interface."""
        return [
            Route("/api/docs", self.show, include_in_schema=False),
            Route("/api/docs/{name}", self.show, include_in_schema=False),
        ]

    async def show(self, request: Request) -> Response:
        """`index.html`, or one of the files that it names."""
        check_names(request.query_params, ())
        return self._page.answer(request.path_params.get("name", "index.html"), request.headers)
