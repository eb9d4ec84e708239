"""The endpoints of taught words: list, teach, rename and delete them."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.routing import Route

from snapseek.errors import InputError, MissingArgumentError
from snapseek.server.api.parameters import MAX_IDS, check_names, excerpt, read_json_id
from snapseek.server.api.request_body import read_object
from snapseek.server.api.responses import json_answer
from snapseek.server.origin_guard import is_own_page
from snapseek.server.proxy import was_forwarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.library import Concept
    from snapseek.server.state import ServerState

_MARKS = ("examples", "counterexamples", "unmark")


class ConceptEndpoints:
    """The words that the server's library was taught."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Return the routes of these endpoints."""
        return [
            Route("/api/concepts", self.concepts, methods=["GET", "POST"]),
            Route("/api/concepts/rename", self.rename, methods=["POST"]),
            Route("/api/concepts/delete", self.delete, methods=["POST"]),
        ]

    async def concepts(self, request: Request) -> Response:
        """Answer with all taught words; or teach one."""
        check_names(request.query_params, ())
        if request.method == "POST":
            return await self._change(request, _wanted_marks, self._teach)
        may_teach = self._may_teach(request)
        return await self._state.searchers.run(request, partial(self._list, may_teach))

    async def rename(self, request: Request) -> Response:
        """Give a word another name."""
        check_names(request.query_params, ())
        return await self._change(request, partial(_texts, names=("name", "new_name")), self._rename)

    async def delete(self, request: Request) -> Response:
        """Forget a word."""
        check_names(request.query_params, ())
        return await self._change(request, partial(_texts, names=("name",)), self._delete)

    def _may_teach(self, request: Request) -> bool:
        is_local = self._state.fetches and not was_forwarded(request.scope)
        return is_local and is_own_page(request.scope)

    async def _change(
        self,
        request: Request,
        convert: Callable[[dict[str, Any]], dict[str, Any]],
        work: Callable[[dict[str, Any]], Response],
    ) -> Response:
        """Read a body and act on it. Raises HTTPException unless this client may change the library."""
        if not self._may_teach(request):
            raise HTTPException(403, "expected a request of this machine, from this server's own page")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415, f"expected the Content-Type application/json, found {kind[:40]!r}")
        with self._state.budget.reserve() as reservation:
            wanted = await read_object(request, self._state, reservation, convert)
        return await self._state.searchers.run(request, partial(work, wanted))

    def _list(self, may_teach: bool) -> Response:
        listed = [_as_json(concept) for concept in self._state.library.concepts()]
        return json_answer({"concepts": listed, "may_teach": may_teach})

    def _teach(self, wanted: dict[str, Any]) -> Response:
        marks = (wanted["name"], wanted["examples"], wanted["counterexamples"])
        return json_answer(_as_json(self._state.library.teach(*marks, unmark=wanted["unmark"])))

    def _rename(self, wanted: dict[str, Any]) -> Response:
        renamed = self._state.library.rename_concept(wanted["name"], wanted["new_name"])
        return json_answer(_as_json(renamed))

    def _delete(self, wanted: dict[str, Any]) -> Response:
        self._state.library.delete_concept(wanted["name"])
        return self._list(may_teach=True)


def _as_json(concept: Concept) -> dict[str, object]:
    return asdict(concept)


def _wanted_marks(body: dict[str, Any]) -> dict[str, Any]:
    """Return the name and the marks of a body. Raises InputError for anything else."""
    _check_fields(body, ("name", *_MARKS))
    return {"name": _text(body, "name"), **{name: _ids(body.get(name, []), name) for name in _MARKS}}


def _texts(body: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    _check_fields(body, names)
    return {name: _text(body, name) for name in names}


def _check_fields(body: dict[str, Any], known: tuple[str, ...]) -> None:
    if unknown := [name for name in body if name not in known]:
        raise InputError(expected=f"the fields {', '.join(known)}", got=excerpt(unknown[0]))


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None:
        raise MissingArgumentError(expected=f"the field {name}", got="none")
    if not isinstance(value, str):
        raise InputError(expected=f"{name} to be a text", got=excerpt(value))
    return value


def _ids(value: object, name: str) -> list[int]:
    if not isinstance(value, list) or len(value) > MAX_IDS:
        raise InputError(expected=f"{name} to be a list of up to {MAX_IDS} ids", got=excerpt(value))
    return [read_json_id(entry) for entry in value]
