"""How many threads work at once."""

import os

from snapseek.errors import OutOfRangeError


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve_threads(threads: int | None) -> int:
    """As many as are asked for, None for one on each core. Raises OutOfRangeError for fewer than one."""
    if threads is None:
        return available_cores()
    if threads < 1:
        raise OutOfRangeError(
            expected="threads of 1 or more", got=str(threads), hint="leave it out to use all cores"
        )
    return threads
