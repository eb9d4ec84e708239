"""The endpoint of near-duplicates, computed once for each state of the library."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route

from snapseek.errors import OutOfRangeError
from snapseek.server.api.parameters import INTEGER, check_names, excerpt
from snapseek.server.api.responses import json_answer, result
from snapseek.server.api.search_request import request_from_url

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.library import DuplicateReview
    from snapseek.server.state import ServerState

MAX_GROUPS = 50
DEFAULT_GROUPS = 20
SHOWN_PICTURES = 24
"""Pictures of one group in an answer; `ids` has all."""

NAMES = ("where", "limit", "offset")


class DuplicateEndpoints:
    """The near-duplicates of the server's library."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._known: tuple[object, DuplicateReview] | None = None

    def routes(self) -> list[Route]:
        """Return the routes of these endpoints."""
        return [Route("/api/duplicates", self.duplicates)]

    async def duplicates(self, request: Request) -> Response:
        """Answer with groups of near-duplicates, those that free most first."""
        params = request.query_params
        check_names(params, NAMES)
        limit = _integer(params, "limit", DEFAULT_GROUPS, 1, MAX_GROUPS)
        offset = _integer(params, "offset", 0, 0, 10**9)
        where = request_from_url(params, ("where",)).where
        return await self._state.searchers.run(request, partial(self._page, where, limit, offset))

    def _page(self, where: object, limit: int, offset: int) -> Response:
        library = self._state.library
        version = library.version
        review = self._review((version, repr(where)), where)
        groups = [
            {
                "free_bytes": group.free_bytes,
                "ids": [group.best, *group.others],
                "results": [
                    result(hit, version)
                    for hit in library.get_many([group.best, *group.others][:SHOWN_PICTURES])
                ],
            }
            for group in review.groups[offset : offset + limit]
        ]
        return json_answer(
            {
                "total": len(review.groups),
                "compared": review.compared,
                "others": review.others,
                "free_bytes": review.free_bytes,
                "groups": groups,
            }
        )

    def _review(self, key: object, where: object) -> DuplicateReview:
        """Return the review of a state. One is computed at a time, so that searches keep their threads."""
        known = self._known
        if known is not None and known[0] == key:
            return known[1]
        if not self._lock.acquire(blocking=False):
            raise HTTPException(
                503, "the pictures are being compared; try again in a moment", {"retry-after": "2"}
            )
        try:
            review = self._state.library.duplicates(where)  # type: ignore[arg-type]
            self._known = (key, review)
            return review
        finally:
            self._lock.release()


def _integer(params: QueryParams, name: str, default: int, low: int, high: int) -> int:
    text = params.get(name)
    if text is None:
        return default
    if INTEGER.fullmatch(text) and low <= int(text) <= high:
        return int(text)
    raise OutOfRangeError(expected=f"{name} to be an integer from {low} to {high}", got=excerpt(text))
