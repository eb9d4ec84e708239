"""The endpoints of jobs: what runs, what an upgrade would cost, and which files could not be read."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route

from snapseek.library.source_states import path_id
from snapseek.models.hub.resolve import upgrade_model
from snapseek.server.api.access import check_local, check_may_change, is_local_request, may_sync
from snapseek.server.api.job_request import JobRequest, job_request
from snapseek.server.api.parameters import check_names, excerpt
from snapseek.server.api.request_body import read_object
from snapseek.server.api.responses import json_answer
from snapseek.server.jobs import ADD, PREVIEWS, REMOVE, SYNC

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.server.jobs import Job, JobRunner
    from snapseek.server.state import ServerState

MAX_FAILURES = 1000

_NO_JOBS = {
    False: "this server runs no jobs; start it with: snapseek serve",
    True: "a collection is not changed as a whole; sync, upgrade or extend its partitions, each as a library",
}


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
        if request.method != "POST":
            return await self._state.searchers.run(request, self._list_jobs)
        if self._jobs is None:
            raise HTTPException(404, _NO_JOBS[self._state.library.is_collection])
        check_may_change(self._state, request)
        with self._state.budget.reserve() as reservation:
            wanted = await read_object(request, self._state, reservation, job_request)
        if wanted.is_local_only:
            check_local(self._state, request)
        return await self._state.searchers.run(request, partial(self._start, wanted))

    async def upgrade(self, request: Request) -> Response:
        """Answer with what an upgrade to the recommended model would cost."""
        check_names(request.query_params, ())
        may_start = self._jobs is not None and may_sync(self._state, request)
        return await self._state.searchers.run(request, partial(self._estimate, may_start))

    async def previews(self, request: Request) -> Response:
        """Answer with the number of pictures without a preview, and whether this client may make them."""
        check_names(request.query_params, ())
        may_start = self._jobs is not None and may_sync(self._state, request)
        return await self._state.searchers.run(request, partial(self._count_previews, may_start))

    async def failures(self, request: Request) -> Response:
        """Answer with the files that could not be read, and why; with their folders to this machine only."""
        check_names(request.query_params, ())
        is_local = is_local_request(self._state, request)
        return await self._state.searchers.run(request, partial(self._list_failures, is_local))

    def _start(self, wanted: JobRequest) -> Response:
        assert self._jobs is not None
        path = self._state.library.info().path
        if wanted.kind == ADD:
            job = self._jobs.start_add(path, wanted.folder())
        elif wanted.kind == REMOVE:
            job = self._jobs.start_remove(path, self._source(wanted.source))
        elif wanted.kind == PREVIEWS:
            job = self._jobs.start_previews(path)
        elif wanted.kind == SYNC:
            missing = self._missing_folder(wanted.accept_missing) if wanted.accept_missing else None
            job = self._jobs.start_sync(path, missing)
        else:
            job = self._jobs.start_upgrade(path, wanted.model)
        return json_answer(_as_json(job), status=202)

    def _source(self, wanted: str) -> Path:
        return _path_of(wanted, [source.path for source in self._state.library.sources().sources], "a folder")

    def _missing_folder(self, wanted: str) -> Path:
        missing = [folder.path for folder in self._state.library.sources().missing]
        return _path_of(wanted, missing, "a folder whose files are gone")

    def _estimate(self, may_start: bool) -> Response:
        cost = self._state.library.upgrade_cost(upgrade_model(), measures=False)
        fields = asdict(cost) | {"has_space": cost.free_bytes >= cost.disk_bytes, "may_start": may_start}
        if not may_start:
            fields |= {"free_bytes": None, "missing": None}
        return json_answer(fields)

    def _count_previews(self, may_start: bool) -> Response:
        missing = self._state.library.missing_previews()
        return json_answer({"missing": missing.waiting, "failed": missing.failed, "may_start": may_start})

    def _list_jobs(self) -> Response:
        info = self._state.library.info()
        jobs = [_as_json(job) for job in self._jobs.jobs()] if self._jobs else []
        return json_answer({"jobs": jobs, "version": info.version, "count": info.count, "model": info.model})

    def _list_failures(self, is_local: bool) -> Response:
        failures = self._state.library.failures()
        listed = [
            {"path": str(entry.path) if is_local else entry.path.name, "reason": entry.reason}
            for entry in failures[:MAX_FAILURES]
        ]
        return json_answer({"total": len(failures), "failures": listed})


def _as_json(job: Job) -> dict[str, object]:
    return asdict(job) | {"summary": job.summary}


def _path_of(wanted: str, paths: list[Path], what: str) -> Path:
    """Return the path with that id. Raises HTTPException, 404, if none has it."""
    for path in paths:
        if path_id(path) == wanted:
            return path
    raise HTTPException(404, f"expected the id of {what} of this library, got {excerpt(wanted)}")
