"""Whether there is room for what is to come, on the disk and in memory."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from snapseek.errors import StorageError

_INDEX_ROW_BYTES = 64  # codes, scale and id of a row beside its int8 values, and the lists' share


def needed_bytes(rows: int, dim: int, record_bytes: int) -> int:
    """What so many rows need at the most: as they come (float16 and a record), and as they stay."""
    return rows * (3 * dim + _INDEX_ROW_BYTES + 2 * record_bytes)


def check_disk_space(directory: Path, rows: int, dim: int, record_bytes: int) -> None:
    """Raises StorageError when the disk is too full for so many new rows."""
    needed = needed_bytes(rows, dim, record_bytes)
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise StorageError(
            f"expected about {_shown(needed)} free for {directory}, found {_shown(free)}; "
            "make room, or choose another place for the library"
        )


def _shown(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def memory_bytes() -> int:
    """The memory of this machine; 0 where the system does not say."""
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf, others not these names
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0
