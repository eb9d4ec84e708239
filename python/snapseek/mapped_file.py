"""A file that is read in place, mapped or loaded."""

import mmap
from pathlib import Path
from typing import Literal

from snapseek.errors import FormatError

LoadMode = Literal["map", "ram"]
"""Read a file in place, or from a copy in memory."""


class MappedFile:
    """The bytes of a file that nobody writes in place.

    If another program truncates it all the same, the system ends a process that reads beyond its new end. So
    call `check_length` before each query.

    Parameters
    ----------
    path
        The file.
    load
        "map" maps it, "ram" reads it into memory; then nothing that happens to the file matters.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is empty.
    """

    def __init__(self, path: Path, load: LoadMode = "map") -> None:
        self.path = path
        self._mapped: mmap.mmap | None = None
        if load == "ram":
            self.view = memoryview(path.read_bytes())
        else:
            with path.open("rb") as file:
                self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self.view = memoryview(self._mapped)

    def check_length(self) -> None:
        """Raise FormatError if the mapped file has become shorter. A file renamed over it does not count."""
        if self._mapped is None:
            return
        found = self._mapped.size()  # of the open file, which the mapping keeps
        if found < len(self.view):
            raise FormatError(
                expected=f"{len(self.view)} bytes in {self.path}",
                got=f"{found}: another program truncated the file while it was in use",
                hint='restore the file, or copy it again; load="ram" reads copies in memory',
            )
