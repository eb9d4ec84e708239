"""Jobs: child processes that write to the library, while this process answers searches.

A job runs a command of snapseek that holds the writer lock. It reports its progress as JSON lines on standard
output. One job runs at a time; the others wait in a queue.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MAX_LINE_BYTES = 1 << 16
_MAX_MESSAGE_BYTES = 2000
_MAX_FINISHED = 20
_STOP_S = 15.0
"""How long a stopped job may take to commit what is embedded."""
_NUMBERS = ("done", "total", "failed", "skipped")
_NAMES = {"upgrade": "Upgrade", "remove": "Removal"}

INDEX, SYNC, UPGRADE, PREVIEWS, ADD, REMOVE = "index", "sync", "upgrade", "previews", "add", "remove"
"""What a job does."""

WAITING, RUNNING, DONE, FAILED, STOPPED = "waiting", "running", "done", "failed", "stopped"
BUSY = "busy"
EXIT_BUSY = 75
"""The exit code of a job that finds another process writing (EX_TEMPFAIL of sysexits.h)."""


_WITHOUT_NUMBERS = {"start": "Starting", "load": "Loading the model", "scan": "Looking for pictures"}


@dataclass
class Job:
    """One run of a command: what it does, how far it is, and how it ended."""

    id: int
    kind: str
    """`index`, `sync`, `previews`, `add` and `remove` a folder, or `upgrade`: downloads another model and
    embeds all pictures with it."""
    state: str = WAITING
    """`waiting`, `running`, `done`, `failed`, `stopped`, or `busy`: another process was writing."""
    stage: str = ""
    """`start`, `download` (its numbers are bytes), `load`, `scan`, `embed`, and of an upgrade `switch` and
    `student`."""
    done: int = 0
    total: int = 0
    failed: int = 0
    skipped: int = 0
    """Unchanged files, which are not part of the total."""
    rate: float | None = None
    """Pictures a second; bytes a second during a download."""
    eta_s: float | None = None
    message: str = ""
    """Why it failed."""

    @property
    def is_active(self) -> bool:
        """Whether the job waits or runs."""
        return self.state in (WAITING, RUNNING)

    @property
    def _verb(self) -> str:
        if self.kind == UPGRADE:
            return "Embedding"
        if self.kind == PREVIEWS:
            return "Making previews:" if self.is_active else "Previews made:"
        return "Indexing" if self.is_active else "Indexed"

    @property
    def summary(self) -> str:
        """One line about it, such as `Indexing 312 of 1,404 · 48/s · about 20 s left · 2 unreadable`."""
        if self.state == FAILED:
            return f"{_NAMES.get(self.kind, 'Indexing')} failed: {self.message}"
        if self.kind == REMOVE:
            return "Removing pictures" if self.is_active else "Pictures removed"
        if self.kind == UPGRADE and not self.is_active:
            return "The library has its new model" if self.state == DONE else "Upgrade stopped"
        if not self.is_active and not self.total:
            return "No new pictures"
        if self.state == RUNNING and not self.total:
            general = "Preparing the upgrade" if self.kind == UPGRADE else "Looking for changes"
            return _WITHOUT_NUMBERS.get(self.stage, general)
        if self.stage == "switch":
            return f"Building the new index: {100 * self.done // max(1, self.total)} %"
        if self.stage == "student":
            return f"Learning to answer while you type: {100 * self.done // max(1, self.total)} %"
        if self.stage == "download":
            parts = [f"Downloading {self.done / 1e6:,.0f} of {self.total / 1e6:,.0f} MB"]
        else:
            parts = [f"{self._verb} {self.done:,} of {self.total:,}"]
            if self.is_active and self.rate:
                parts.append(f"{self.rate:,.0f}/s")
        if self.eta_s is not None:
            parts.append(f"about {_duration(self.eta_s)} left")
        if self.failed:
            parts.append(f"{self.failed:,} unreadable")
        return " · ".join(parts)


_NAMES = {UPGRADE: "Upgrade", PREVIEWS: "Making previews"}


class _Pace:
    """Measures the rate of the stage that runs, without what was done before."""

    def __init__(self) -> None:
        self._stage = ""
        self._first = 0
        self._start_s = time.monotonic()

    def rate(self, stage: str, done: int) -> float | None:
        """Return how much of a stage was done a second; None if that is not known yet."""
        if stage != self._stage:
            if self._stage:
                self._start_s = time.monotonic()
            is_resumed = bool(self._stage) or done > 1
            self._stage, self._first = stage, done if is_resumed else 0
        elapsed_s = time.monotonic() - self._start_s
        return (done - self._first) / elapsed_s if done > self._first and elapsed_s > 0 else None


class JobRunner:
    """Runs jobs one after the other. Safe to use from many threads.

    Parameters
    ----------
    trust
        What the user allows the library to read in its jobs: `--allow-root DIR` and `--allow-urls`.
    """

    def __init__(self, trust: Sequence[str] = ()) -> None:
        self._trust = tuple(trust)
        self._lock = threading.Condition()
        self._queue: deque[tuple[Job, list[str]]] = deque()
        self._jobs: deque[Job] = deque(maxlen=_MAX_FINISHED)
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._next_id = 1
        self._is_closed = False

    def start(self, kind: str, arguments: Sequence[str]) -> Job:
        """Run `snapseek` with these arguments, after the jobs that wait.

        A job of that kind that still waits with the same arguments is returned instead of a second one.
        """
        with self._lock:
            for job, waiting in self._queue:
                if (job.kind, waiting) == (kind, list(arguments)):
                    return job
            job = Job(self._next_id, kind)
            self._next_id += 1
            if self._is_closed:
                job.state = STOPPED
                return job
            self._queue.append((job, list(arguments)))
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
                self._thread.start()
            self._lock.notify_all()
        return job

    def start_sync(self, library: Path, accept_missing: Path | None = None) -> Job:
        """Sync a library. With `accept_missing` the pictures of that folder are removed if it is gone."""
        accepted = [] if accept_missing is None else [f"--accept-missing={accept_missing}"]
        return self.start(SYNC, ["sync", *self._common(library), *accepted])

    def start_add(self, library: Path, folder: Path) -> Job:
        """Add a folder to a library. The user has named it, so the library may show its pictures."""
        return self.start(ADD, ["add", *self._common(library), "--", str(folder)])

    def start_remove(self, library: Path, source: Path) -> Job:
        """Remove a source of a library with its pictures. The files stay."""
        return self.start(REMOVE, ["remove", "--library", str(library), "--", str(source)])

    def start_previews(self, library: Path) -> Job:
        """Make the previews that a library lacks."""
        return self.start(PREVIEWS, ["previews", "--progress", "json", *self._trust, "--", str(library)])

    def start_upgrade(self, library: Path, model: str) -> Job:
        """Upgrade a library to another model. An upgrade that waits or runs is returned instead."""
        for job in self.jobs():
            if job.kind == UPGRADE and job.is_active:
                return job
        return self.start(UPGRADE, ["upgrade", "--yes", *self._common(library), "--", model])

    def _common(self, library: Path) -> list[str]:
        return ["--progress", "json", "--library", str(library), *self._trust]

    def jobs(self) -> list[Job]:
        """Return copies of the jobs that wait, run or ended last, oldest first."""
        with self._lock:
            return [replace(job) for job in self._jobs]

    def wait(self, job: Job, timeout_s: float | None = None) -> bool:
        """Wait until a job has ended, and return whether it has."""
        with self._lock:
            return self._lock.wait_for(lambda: not job.is_active, timeout_s)

    def close(self) -> None:
        """Stop all jobs. The one that runs commits what it has embedded."""
        with self._lock:
            self._is_closed = True
            for job, _ in self._queue:
                job.state = STOPPED
            self._queue.clear()
            process = self._process
            self._lock.notify_all()
        if process is not None:
            _interrupt(process)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _work(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._queue or self._is_closed)
                if self._is_closed:
                    return
                job, arguments = self._queue.popleft()
                job.state, job.stage = RUNNING, "start"
            try:
                self._run(job, arguments)
            except OSError as error:  # the system refuses another process
                self._end(job, FAILED, str(error))

    def _run(self, job: Job, arguments: list[str]) -> None:
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(  # noqa: S603 (our own command)
                [sys.executable, "-m", "snapseek", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                # A process group of its own: Ctrl-C in the terminal reaches this process only.
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
            with self._lock:
                self._process = process
                is_late = self._is_closed
            if is_late:
                _interrupt(process)
            assert process.stdout is not None
            with process.stdout as output:
                self._follow(job, output)
            code = process.wait()
            with self._lock:
                self._process = None
                was_stopped = self._is_closed
            ended = {0: DONE, EXIT_BUSY: BUSY}.get(code, FAILED)
            state = STOPPED if was_stopped else ended
            self._end(job, state, _reason(errors, code) if state == FAILED else "")

    def _follow(self, job: Job, output: IO[bytes]) -> None:
        """Read the lines of a process until it closes its output. A line that is no progress is skipped."""
        pace = _Pace()
        while line := output.readline(_MAX_LINE_BYTES):
            try:
                fields = json.loads(line)
                numbers = {name: int(fields[name]) for name in _NUMBERS}
                stage = str(fields["stage"])
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            rate = pace.rate(stage, numbers["done"])
            with self._lock:
                for name, number in numbers.items():
                    setattr(job, name, number)
                job.stage = stage
                job.rate = rate and round(rate, 1)
                job.eta_s = round((job.total - job.done) / rate, 1) if rate else None
                self._lock.notify_all()

    def _end(self, job: Job, state: str, message: str) -> None:
        with self._lock:
            job.state, job.message, job.eta_s = state, message, None
            self._lock.notify_all()


def _duration(seconds: float) -> str:
    """Return a time as a person says it: `20 s`, `3 min`, `2 h`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1, round(seconds))} s"


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Make a job commit what it has, and end."""
    with contextlib.suppress(OSError):  # it has ended meanwhile
        process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))


def _reason(errors: IO[bytes], code: int) -> str:
    """Return why a command failed: what it said, or how its process ended if it said nothing."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - _MAX_MESSAGE_BYTES))
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    if found := [line for line in lines if line.startswith(("snapseek: ", "hint: "))]:
        return " ".join(found).removeprefix("snapseek: ")
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with the code {code}"
    return f"its process {ended}; start it again, and it goes on"
