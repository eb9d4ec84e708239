"""The endpoints about the server itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route

from snapseek.server.api.openapi import openapi
from snapseek.server.api.parameters import check_names
from snapseek.server.api.responses import info_answer, json_answer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.server.metrics import Metrics
    from snapseek.server.state import ServerState


class SystemEndpoints:
    """What is served, how to ask it, and how it is doing."""

    def __init__(self, service: ServerState, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/api/info", self.info),
            Route("/api/openapi.json", self.describe),
            Route("/healthz", self.health),
            Route("/readyz", self.readiness),
            Route("/metrics", self.measure),
        ]

    async def info(self, request: Request) -> Response:
        """The facts about the library."""
        check_names(request.query_params, ())
        return await self._service.searchers.run(request, self._tell)

    async def describe(self, request: Request) -> Response:
        """This interface, for machines."""
        check_names(request.query_params, ())
        return json_answer(openapi(self._service.snapseek_version))

    async def health(self, _request: Request) -> Response:
        """Whether the server is alive; whoever asks may send any parameter."""
        return json_answer({"status": "ok"})

    async def readiness(self, _request: Request) -> Response:
        """Whether the model is loaded, so that a query is answered at once."""
        if self._service.library.info().provider == "not loaded":
            raise HTTPException(
                503, "the model is not loaded yet; ask again in a moment", {"retry-after": "1"}
            )
        return json_answer({"status": "ready"})

    async def measure(self, _request: Request) -> Response:
        """Counters and times, for Prometheus."""
        return self._metrics.answer(self._service.library.info().count, self._service.searchers.waiting)

    def _tell(self) -> Response:
        library = self._service.library
        examples = library.encoder.examples  # before info, which tells what the loaded model runs on
        return info_answer(
            library.info(),
            examples,
            self._service.snapseek_version,
            has_fast=library.fast_encoder is not None,
            fetches=self._service.fetches,
        )
