"""Endpoints about the library, the interface and the server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route

from snapseek.server.api.local_files import may_see_paths
from snapseek.server.api.openapi import openapi
from snapseek.server.api.parameters import check_names
from snapseek.server.api.responses import info_answer, json_answer
from snapseek.server.proxy import root_path_of, was_forwarded

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.server.metrics import Metrics
    from snapseek.server.state import ServerState


class SystemEndpoints:
    """Facts about the library, the OpenAPI document, health and metrics."""

    def __init__(self, state: ServerState, metrics: Metrics) -> None:
        self._state = state
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """Return the routes of these endpoints."""
        return [
            Route("/api/info", self.info),
            Route("/api/openapi.json", self.describe),
            Route("/healthz", self.health),
            Route("/readyz", self.readiness),
            Route("/metrics", self.measure),
        ]

    async def info(self, request: Request) -> Response:
        """Answer with facts about the library."""
        check_names(request.query_params, ())
        fetches = self._state.fetches and not was_forwarded(request.scope)
        is_local = may_see_paths(request.scope)
        return await self._state.searchers.run(request, partial(self._info, fetches, is_local))

    async def describe(self, request: Request) -> Response:
        """Answer with the OpenAPI document."""
        check_names(request.query_params, ())
        return json_answer(openapi(self._state.snapseek_version, root_path_of(request.scope)))

    async def health(self, _request: Request) -> Response:
        """Answer that the server is alive; a probe may add any parameter."""
        return json_answer({"status": "ok"})

    async def readiness(self, _request: Request) -> Response:
        """Answer whether the model is loaded, so that the first search does not wait for it."""
        if self._state.library.info().provider == "not loaded":
            raise HTTPException(
                503, "the model is not loaded yet; try again in a moment", {"retry-after": "1"}
            )
        partitions = self._state.library.partitions()
        ok = sum(partition.problem is None for partition in partitions)
        if partitions and not ok:
            raise HTTPException(503, "no partition answers yet; try again in a moment", {"retry-after": "1"})
        counts = {"partitions": {"ok": ok, "total": len(partitions)}} if partitions else {}
        return json_answer({"status": "ready", **counts})

    async def measure(self, _request: Request) -> Response:
        """Answer with counters and times in the format of Prometheus."""
        library = self._state.library
        return self._metrics.answer(library.info().count, self._state.searchers.waiting, library.partitions())

    def _info(self, fetches: bool, is_local: bool) -> Response:
        library = self._state.library
        examples = library.encoder.examples  # before info: it loads the model, whose provider info names
        return info_answer(
            library.info(),
            examples,
            self._state.snapseek_version,
            has_fast=library.fast_encoder is not None,
            fetches=fetches,
            partitions=library.partitions(),
            is_local=is_local,
        )
