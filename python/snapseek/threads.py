"""The default number of threads."""

import os

from snapseek.errors import OutOfRangeError


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
