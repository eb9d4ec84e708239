"""Keep glibc from hoarding freed memory: a fixed mmap threshold, and few arenas.

glibc raises its mmap threshold to the size of each freed block, up to 32 MiB, and then keeps blocks of that
size on heaps that it can shrink only from the end. Every thread has its own heap (an arena), up to eight a
core. So a server that decodes pictures in several threads ends with a multiple of the memory that it uses.
With a fixed threshold larger blocks are mapped one by one, and returned to the system when they are freed.

Source: mallopt(3) and the GNU C Library manual, "Malloc Tunable Parameters"
(https://sourceware.org/glibc/manual/latest/html_node/Malloc-Tunable-Parameters.html), which define the two
parameters and say that setting M_MMAP_THRESHOLD ends its dynamic adjustment. docs/decisions/memory.md has the
measured effect and its cost. Other C libraries (musl, macOS, Windows) have nothing of the kind and are left
alone.
"""

import ctypes
import os
import sys
from typing import Any

MMAP_THRESHOLD_BYTES = 256 * 2**10
MAX_ARENAS = 2

SWITCH = "SNAPSEEK_MALLOC"
"""The environment variable that leaves the allocator alone if it is "default"."""

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h
_OWN_SETTINGS = {
    _M_MMAP_THRESHOLD: ("MALLOC_MMAP_THRESHOLD_", "glibc.malloc.mmap_threshold"),
    _M_ARENA_MAX: ("MALLOC_ARENA_MAX", "glibc.malloc.arena_max"),
}


def bound_malloc() -> bool:
    """Fix the mmap threshold and the number of arenas of this process. Return whether anything was set.

    A server and an index call it when they start. It applies to the whole process and to processes that it
    forks; snapseek starts no other process. A parameter that the environment sets, as a variable of
    mallopt(3) or in GLIBC_TUNABLES, is left as it is.
    """
    library = None if os.environ.get(SWITCH) == "default" else _glibc()
    if library is None:
        return False
    values = {_M_MMAP_THRESHOLD: MMAP_THRESHOLD_BYTES, _M_ARENA_MAX: MAX_ARENAS}
    changed = [library.mallopt(name, value) for name, value in values.items() if not _is_set(name)]
    return any(changed)


def _glibc() -> Any:
    """Return the C library of this process if it is glibc."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    # musl has neither function.
    return library if hasattr(library, "gnu_get_libc_version") and hasattr(library, "mallopt") else None


def _is_set(name: int) -> bool:
    variable, tunable = _OWN_SETTINGS[name]
    return variable in os.environ or tunable in os.environ.get("GLIBC_TUNABLES", "")
