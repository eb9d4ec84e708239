"""The default number of threads, and the priority of work in the background."""

import os
from contextlib import suppress
from pathlib import Path

from snapseek.errors import OutOfRangeError

_NICENESS = 10


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve_threads(threads: int | None) -> int:
    """Return `threads`, or one per core for None. Raises OutOfRangeError for fewer than one."""
    if threads is None:
        return available_cores()
    if threads < 1:
        raise OutOfRangeError(
            expected="threads of 1 or more", got=str(threads), hint="leave it out to use all cores"
        )
    return threads


def lower_priority() -> None:
    """Let searches and other programs go first, for work in the background. Has no effect on Windows.

    Linux has a priority for each thread, so those that run already are lowered one by one.
    """
    tasks = Path("/proc/self/task")
    with suppress(AttributeError, OSError):
        for thread in [0, *(int(task.name) for task in tasks.iterdir())] if tasks.is_dir() else [0]:
            niceness = max(_NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
