"""Estimates of disk space and memory."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from snapseek.errors import StorageError

_INDEX_ROW_BYTES = 64
"""Bounds what an index stores per row besides its int8 values: codes, scale, id and a share of the lists."""


def needed_bytes(rows: int, dim: int, record_bytes: int) -> int:
    """Return an upper bound of the bytes for new rows, in the spool (float16, record) and in the shard."""
    return rows * (3 * dim + _INDEX_ROW_BYTES + 2 * record_bytes)


def check_disk_space(directory: Path, rows: int, dim: int, record_bytes: int) -> None:
    """Raise StorageError if the disk is too full for `rows` new rows."""
    check_free_bytes(directory, needed_bytes(rows, dim, record_bytes))


def check_free_bytes(directory: Path, needed: int) -> None:
    """Raise StorageError if the disk has less space than that."""
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise StorageError(
            expected=f"about {_shown(needed)} free for {directory}",
            got=_shown(free),
            hint="free some space, or choose another path for the library",
        )


def _shown(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def memory_bytes() -> int:
    """Return the memory of this machine in bytes, 0 if it is unknown."""
    with suppress(
        AttributeError, ValueError, OSError
    ):  # Windows has no sysconf, other systems lack these names
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0
