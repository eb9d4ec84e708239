"""Endpoints about the library as its owner manages it: its folders, and the other libraries of this user."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.routing import Route

from snapseek.errors import ParseError, SnapseekError
from snapseek.library.model_choice import RecordedModel
from snapseek.library.recent import recent_libraries
from snapseek.library.source_states import path_id
from snapseek.server.api.access import check_local, check_may_change, is_local_request, may_sync
from snapseek.server.api.parameters import check_names, excerpt
from snapseek.server.api.request_body import read_object
from snapseek.server.api.responses import json_answer
from snapseek.server.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.server.library_servers import LibraryServers
    from snapseek.server.state import ServerState

MAX_SKIPPED = 1000

_NO_LIBRARIES = {
    False: "this server opens no other library; start it with: snapseek serve",
    True: "the server of a collection opens no library; start one with: snapseek serve LIBRARY",
}


class LibraryEndpoints:
    """The folders of the server's library, and the other libraries that the user has opened."""

    def __init__(self, state: ServerState, servers: LibraryServers | None, *, has_jobs: bool) -> None:
        self._state = state
        self._servers = servers
        self._has_jobs = has_jobs
        self._starters = Workers(1)  # each call takes seconds

    def routes(self) -> list[Route]:
        """Return the routes of these endpoints."""
        return [
            Route("/api/library", self.library),
            Route("/api/libraries", self.libraries, methods=["GET", "POST"]),
        ]

    async def library(self, request: Request) -> Response:
        """Answer with the folders, the last sync, what was skipped, and the size."""
        check_names(request.query_params, ())
        is_local = is_local_request(self._state, request)
        rights = {
            "may_sync": self._has_jobs and may_sync(self._state, request),
            "may_edit": self._has_jobs and is_local,
        }
        return await self._state.searchers.run(request, partial(self._describe, is_local, rights))

    async def libraries(self, request: Request) -> Response:
        """Answer with the libraries that were opened here; or serve one of them."""
        check_names(request.query_params, ())
        if request.method != "POST":
            is_local = is_local_request(self._state, request)
            return await self._state.searchers.run(request, partial(self._list_libraries, is_local))
        if self._servers is None:
            raise HTTPException(404, _NO_LIBRARIES[self._state.library.is_collection])
        check_may_change(self._state, request)
        check_local(self._state, request)
        with self._state.budget.reserve() as reservation:
            wanted = await read_object(request, self._state, reservation, _wanted_library)
        address = await self._starters.run(request, partial(self._open, self._servers, wanted))
        # The page may know this machine by another name; its cookie belongs to that name.
        port = urlsplit(address).port
        return json_answer({"url": f"http://{_host(request)}:{port}/"})

    def _describe(self, is_local: bool, rights: dict[str, bool]) -> Response:
        library = self._state.library
        info, found = library.info(), library.sources()

        def shown(path: Path) -> str:
            return str(path) if is_local else path.name

        return json_answer(
            {
                "path": str(info.path) if is_local else None,
                "size_bytes": info.size_bytes,
                "last_sync": found.last_sync,
                "sources": [
                    {
                        "id": path_id(source.path),
                        "path": shown(source.path),
                        "kind": source.kind,
                        "state": source.state,
                        "pictures": source.pictures,
                    }
                    for source in found.sources
                ],
                "missing": [
                    {"id": path_id(folder.path), "path": shown(folder.path), "pictures": folder.pictures}
                    for folder in found.missing
                ],
                "skipped": [
                    {"path": shown(entry.path), "kind": entry.kind}
                    for entry in library.skipped()[:MAX_SKIPPED]
                ],
                **rights,
            }
        )

    def _list_libraries(self, is_local: bool) -> Response:
        may_open = is_local and self._servers is not None
        current = self._state.library.info().path
        listed = [_description(path, current) for path in recent_libraries()] if may_open else []
        return json_answer({"libraries": listed, "may_open": may_open})

    @staticmethod
    def _open(servers: LibraryServers, wanted: str) -> str:
        for path in recent_libraries():
            if path_id(path) == wanted:
                return servers.address_of(path)
        raise HTTPException(404, f"expected the id of a library that was opened here, got {excerpt(wanted)}")


def _description(path: Path, current: Path) -> dict[str, object]:
    """Return a library for the list. One that cannot be read has no number of pictures."""
    try:
        recorded = RecordedModel.read(path)
    except SnapseekError:
        recorded = None
    return {
        "id": path_id(path),
        "path": str(path),
        "pictures": recorded.count if recorded else None,
        "model": recorded.name if recorded else None,
        "is_current": path == current,
    }


def _wanted_library(body: dict[str, Any]) -> str:
    """Return the id that a body names. Raises InputError for anything else."""
    wanted = body.get("id")
    if set(body) != {"id"} or not isinstance(wanted, str):
        raise ParseError(expected="the field id alone, a text", got=excerpt(body))
    return wanted


def _host(request: Request) -> str:
    name = request.url.hostname or "127.0.0.1"
    return f"[{name}]" if ":" in name else name
