"""Move the weights of loaded graphs to huge pages, where Linux has them.

A short text reads every weight of its tower once, so a run waits for memory, and for the translation of its
addresses: 250 MB are 62,000 pages of 4 KiB, and the processor remembers the addresses of some thousand. In
pages of 2 MiB they are 125. ONNX Runtime allocates the weights, so they are moved afterwards, by
`madvise(MADV_COLLAPSE)` (Linux 6.1). docs/decisions/typed-query.md has the measured effect.
"""

import ctypes
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

HUGE_PAGE_BYTES = 2 << 20

_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25  # asm-generic/mman-common.h
_HEAP = "[heap]"
_MAPS = Path("/proc/self/maps")
_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def start_collapse() -> None:
    """Collapse the memory of this process to huge pages, in a thread of its own."""
    if has_huge_pages():
        threading.Thread(target=collapse, name="huge pages", daemon=True).start()


def has_huge_pages() -> bool:
    """Return whether the system gives huge pages to memory that is advised so."""
    try:
        setting = _SETTING.read_text()
    except OSError:
        return False
    return sys.platform == "linux" and ("[always]" in setting or "[madvise]" in setting)


def collapse() -> int:
    """Collapse all large private memory of this process to huge pages; return the bytes that were moved.

    The memory stays at its addresses, and other threads may use it meanwhile. What the system refuses stays
    in small pages.
    """
    try:
        lines = _MAPS.read_text().splitlines()
    except OSError:
        return 0
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    moved, waiting = 0, list(_large_ranges(lines))
    for start, size in waiting:
        madvise(start, size, _MADV_HUGEPAGE)
    while waiting:
        start, size = waiting.pop()
        if madvise(start, size, _MADV_COLLAPSE) == 0:
            moved += size
        elif size > HUGE_PAGE_BYTES:  # the system stops at some kinds of page: continue on both sides of it
            half = size // HUGE_PAGE_BYTES // 2 * HUGE_PAGE_BYTES
            waiting += [(start, half), (start + half, size - half)]
    return moved


def _large_ranges(lines: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield start and size of the whole huge pages in the heap and in each writable mapping without a name.

    `lines` are those of `/proc/PID/maps`. Files and stacks have names.
    """
    for line in lines:
        addresses, permissions, _, _, inode, *name = line.split(maxsplit=5)
        if permissions != "rw-p" or inode != "0" or name not in ([], [_HEAP]):
            continue
        first, _, last = addresses.partition("-")
        start = -(-int(first, 16) // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
        end = int(last, 16) // HUGE_PAGE_BYTES * HUGE_PAGE_BYTES
        if end > start:
            yield start, end - start
