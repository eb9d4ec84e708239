"""The endpoints of jobs: what is being indexed, and which files could not be read."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Route

from snapseek.server.api.parameters import check_names
from snapseek.server.api.responses import json_answer
from snapseek.server.proxy import was_forwarded

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.server.jobs import JobRunner
    from snapseek.server.state import ServerState

MAX_FAILURES = 1000


class JobEndpoints:
    """The jobs of the server's library, and its unreadable files."""

    def __init__(self, state: ServerState, jobs: JobRunner | None) -> None:
        self._state = state
        self._jobs = jobs

    def routes(self) -> list[Route]:
        """Return the routes of these endpoints."""
        return [Route("/api/jobs", self.jobs), Route("/api/failures", self.failures)]

    async def jobs(self, request: Request) -> Response:
        """Answer with the jobs that wait, run or ended last, and how many pictures the library has."""
        check_names(request.query_params, ())
        return await self._state.searchers.run(request, self._list_jobs)

    async def failures(self, request: Request) -> Response:
        """Answer with the files that could not be read, and why; with their folders to this machine only."""
        check_names(request.query_params, ())
        is_local = self._state.fetches and not was_forwarded(request.scope)
        return await self._state.searchers.run(request, partial(self._list_failures, is_local))

    def _list_jobs(self) -> Response:
        info = self._state.library.info()
        jobs = [asdict(job) | {"summary": job.summary} for job in self._jobs.jobs()] if self._jobs else []
        return json_answer({"jobs": jobs, "version": info.version, "count": info.count})

    def _list_failures(self, is_local: bool) -> Response:
        failures = self._state.library.failures()
        listed = [
            {"path": str(entry.path) if is_local else entry.path.name, "reason": entry.reason}
            for entry in failures[:MAX_FAILURES]
        ]
        return json_answer({"total": len(failures), "failures": listed})
