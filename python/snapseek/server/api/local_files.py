"""The endpoints that only a user of this machine may call: paths of originals, and the file manager.

A request names pictures by id, never a file by its path.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.routing import Route

from snapseek.errors import InputError, ItemNotFoundError, MissingArgumentError
from snapseek.server.api.parameters import check_names, read_ids, read_json_id
from snapseek.server.api.request_body import check_json_type, read_object
from snapseek.server.api.responses import json_answer
from snapseek.server.images.originals import file_of_original
from snapseek.server.origin_guard import is_own_page
from snapseek.server.proxy import is_local
from snapseek.server.reveal import can_reveal, reveal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope

    from snapseek.server.state import ServerState


class LocalFileEndpoints:
    """Where originals are on this machine."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Return the routes of these endpoints."""
        return [
            Route("/api/paths", self.paths),
            Route("/api/reveal", self.reveal, methods=["POST"]),
        ]

    async def paths(self, request: Request) -> Response:
        """Answer with the absolute paths of originals, and whether they can be shown in a file manager."""
        check_names(request.query_params, ("ids",))
        _check_is_local(request)
        if "ids" not in request.query_params:
            raise MissingArgumentError(expected="the parameter ids", got="none", hint="as in ?ids=1,2")
        ids = read_ids(request.query_params["ids"])
        return await self._state.searchers.run(request, partial(self._paths, ids))

    async def reveal(self, request: Request) -> Response:
        """Show the original of a picture in the file manager of this machine."""
        check_names(request.query_params, ())
        _check_is_local(request)
        check_json_type(request.headers)
        with self._state.budget.reserve() as reservation:
            item = await read_object(request, self._state, reservation, _wanted_id)
        return await self._state.searchers.run(request, partial(self._reveal, item))

    def _paths(self, ids: list[int]) -> Response:
        paths = [{"id": item, "path": self._path(item)} for item in ids]
        return json_answer({"paths": paths, "can_reveal": can_reveal()})

    def _path(self, item: int) -> str | None:
        try:
            return str(self._state.library.original_path(item))
        except ItemNotFoundError:
            return None

    def _reveal(self, item: int) -> Response:
        path = file_of_original(self._state.library, item)
        if not can_reveal():
            raise HTTPException(501, "expected a desktop with a file manager on this machine, found none")
        reveal(path)
        return json_answer({"id": item, "path": str(path)})


def may_see_paths(scope: Scope) -> bool:
    """Return whether a program of this machine, or this server's own page on it, sent a request."""
    return is_local(scope) and is_own_page(scope)


def _check_is_local(request: Request) -> None:
    """Raise HTTPException unless a program of this machine or this server's own page asks."""
    if not may_see_paths(request.scope):
        raise HTTPException(403, "expected a request of this machine, from this server's own page")


def _wanted_id(body: dict[str, Any]) -> int:
    """Return the id of a body. Raises InputError for anything else in it."""
    if [*body] != ["id"]:
        raise InputError(expected="an object with the field id alone", got=f"{[*body]!r:.60}")
    return read_json_id(body["id"])
