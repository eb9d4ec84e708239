"""The endpoint through which a router asks this server as a partition of a collection."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from cachetools import LRUCache
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from snapseek.library.snapshot import Snapshot
from snapseek.server.api.parameters import check_names
from snapseek.server.api.request_body import read_body

if TYPE_CHECKING:
    from starlette.requests import Request

    from snapseek.collection.partition_state import PartitionState
    from snapseek.server.state import ServerState

PARTITION_PATH = "/api/partition"
_MAX_STATES = 4
"""States of the library that are kept for queries under way."""


class PartitionEndpoints:
    """Answers routers: see `snapseek.collection.partition_state` for the operations."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._states: LRUCache[str, PartitionState] = LRUCache(_MAX_STATES)

    def routes(self) -> list[Route]:
        """Return the route."""
        return [Route(PARTITION_PATH, self.answer, methods=["POST"], include_in_schema=False)]

    async def answer(self, request: Request) -> Response:
        """Answer one operation, by the newest state or by that of the version `v`."""
        check_names(request.query_params, ("v",))
        version = request.query_params.get("v")
        with self._state.budget.reserve() as reservation:
            body = await read_body(request, reservation)
            return await self._state.searchers.run(request, partial(self._answer, bytes(body), version))

    def _answer(self, body: bytes, version: str | None) -> Response:
        from snapseek.collection.frames import MEDIA_TYPE, Frame  # few servers are partitions

        answer = self._state_of(version).answer(Frame.decode(body))
        return Response(answer.encode(), headers={"cache-control": "no-store"}, media_type=MEDIA_TYPE)

    def _state_of(self, version: str | None) -> PartitionState:
        from snapseek.collection.partition_state import PartitionState

        snapshot = self._state.library.snapshot()
        if not isinstance(snapshot, Snapshot):
            raise HTTPException(404, "expected the server of a library, found that of a collection")
        with self._lock:
            newest = self._states.get(snapshot.version)
            if newest is None or newest.snapshot is not snapshot:
                newest = self._states[snapshot.version] = PartitionState(snapshot)
            found = newest if version is None else self._states.get(version)
        if found is None:
            raise HTTPException(409, "expected a version that this server still has; ask without v")
        return found
