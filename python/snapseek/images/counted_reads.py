"""A file with a bounded number of reads, against pictures that are nothing but markers.

Decoders walk through a header in Python, chunk by chunk or byte by byte. A few megabytes of empty chunks
would hold the interpreter for many seconds.
"""

from typing import IO, Any

from snapseek.errors import PictureError

MIN_READS = 100_000
"""As many reads take half a second or less; a large photograph needs some thousands."""

_BYTES_PER_READ = 2048
"""Of a large file more reads are allowed, at this mean size: PNG has chunks of 8 KB and more."""


class CountedReads:
    """An open file, passed on as it is, until it was read too often."""

    def __init__(self, file: IO[bytes], size_bytes: int) -> None:
        self._file = file
        self._left = MIN_READS + size_bytes // _BYTES_PER_READ

    def read(self, size: int = -1) -> bytes:
        """Read as the file does. Raises PictureError when that was done too often."""
        self._left -= 1
        if self._left < 0:
            raise PictureError("the picture is cut into more pieces than a picture needs")
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
