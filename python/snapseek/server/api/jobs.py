"""The endpoints of jobs: what runs, what an upgrade would cost, and which files could not be read."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.routing import Route

from snapseek.errors import InputError
from snapseek.models.catalogue import RECOMMENDED, entry_name, model_names
from snapseek.models.hub.resolve import STARTER
from snapseek.search_request import check_choice
from snapseek.server.api.parameters import check_names
from snapseek.server.api.request_body import check_json_type, read_object
from snapseek.server.api.responses import json_answer
from snapseek.server.jobs import PREVIEWS, SYNC, UPGRADE
from snapseek.server.origin_guard import is_own_page
from snapseek.server.proxy import was_forwarded

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.server.jobs import Job, JobRunner
    from snapseek.server.state import ServerState

MAX_FAILURES = 1000


class JobEndpoints:
    """The jobs of the server's library, and its unreadable files."""

    def __init__(self, state: ServerState, jobs: JobRunner | None) -> None:
        self._state = state
        self._jobs = jobs

    def routes(self) -> list[Route]:
        """Return the routes of these endpoints."""
        return [
            Route("/api/jobs", self.jobs, methods=["GET", "POST"]),
            Route("/api/upgrade", self.upgrade),
            Route("/api/previews", self.previews),
            Route("/api/failures", self.failures),
        ]

    async def jobs(self, request: Request) -> Response:
        """Answer with the jobs that wait, run or ended last; or start one."""
        check_names(request.query_params, ())
        if request.method == "POST":
            self._check_may_start(request)
            with self._state.budget.reserve() as reservation:
                wanted = await read_object(request, self._state, reservation, _wanted_job)
            return await self._state.searchers.run(request, partial(self._start, *wanted))
        return await self._state.searchers.run(request, self._list_jobs)

    async def upgrade(self, request: Request) -> Response:
        """Answer with what an upgrade to the recommended model would cost."""
        check_names(request.query_params, ())
        may_start = self._jobs is not None and self._may_start(request)
        return await self._state.searchers.run(request, partial(self._estimate, may_start))

    async def previews(self, request: Request) -> Response:
        """Answer with the number of pictures without a preview, and whether this client may make them."""
        check_names(request.query_params, ())
        may_start = self._jobs is not None and self._may_start(request)
        return await self._state.searchers.run(request, partial(self._count_previews, may_start))

    async def failures(self, request: Request) -> Response:
        """Answer with the files that could not be read, and why; with their folders to this machine only."""
        check_names(request.query_params, ())
        is_local = self._state.fetches and not was_forwarded(request.scope)
        return await self._state.searchers.run(request, partial(self._list_failures, is_local))

    def _may_start(self, request: Request) -> bool:
        is_local = self._state.fetches and not was_forwarded(request.scope)
        return (is_local or self._state.has_token) and is_own_page(request.scope)

    def _check_may_start(self, request: Request) -> None:
        """Raise HTTPException unless this client may start jobs, and the request is no form of a page."""
        if self._jobs is None:
            raise HTTPException(404, "this server runs no jobs; start it with: snapseek serve")
        if not self._may_start(request):
            raise HTTPException(
                403,
                "expected a request of this machine or with the access token, from this server's own page",
            )
        check_json_type(request.headers)

    def _start(self, kind: str, model: str) -> Response:
        assert self._jobs is not None
        path = self._state.library.info().path
        if kind == UPGRADE:
            job = self._jobs.start_upgrade(path, model)
        else:
            job = self._jobs.start_sync(path) if kind == SYNC else self._jobs.start_previews(path)
        return json_answer(_as_json(job), status=202)

    def _estimate(self, may_start: bool) -> Response:
        cost = self._state.library.upgrade_cost(RECOMMENDED, measures=False)
        fields = asdict(cost) | {"has_space": cost.free_bytes >= cost.disk_bytes, "may_start": may_start}
        del fields["free_bytes"]
        return json_answer(fields)

    def _count_previews(self, may_start: bool) -> Response:
        missing = self._state.library.missing_previews()
        return json_answer({"missing": missing.waiting, "failed": missing.failed, "may_start": may_start})

    def _list_jobs(self) -> Response:
        info = self._state.library.info()
        jobs = [_as_json(job) for job in self._jobs.jobs()] if self._jobs else []
        return json_answer({"jobs": jobs, "version": info.version, "count": info.count})

    def _list_failures(self, is_local: bool) -> Response:
        failures = self._state.library.failures()
        listed = [
            {"path": str(entry.path) if is_local else entry.path.name, "reason": entry.reason}
            for entry in failures[:MAX_FAILURES]
        ]
        return json_answer({"total": len(failures), "failures": listed})


def _as_json(job: Job) -> dict[str, object]:
    return asdict(job) | {"summary": job.summary}


def _wanted_job(body: dict[str, Any]) -> tuple[str, str]:
    """Return kind and model of the job that a body asks for. Raises InputError for anything unknown."""
    if unknown := [name for name in body if name not in ("kind", "model")]:
        raise InputError(expected="the fields kind and model", got=f"{unknown[0]!r:.60}")
    kind, model = body.get("kind"), body.get("model", RECOMMENDED)
    check_choice("kind", kind, (SYNC, UPGRADE, PREVIEWS))
    if kind != UPGRADE and "model" in body:
        raise InputError(expected="a model with the kind upgrade only", got=f"one with the kind {kind}")
    check_choice("model", model, (STARTER, *model_names()))
    return str(kind), entry_name(str(model))
