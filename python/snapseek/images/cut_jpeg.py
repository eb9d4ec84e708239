"""JPEG files that end early are read as far as they go, as browsers and viewers do."""

import os
from typing import IO

from PIL.JpegImagePlugin import JpegImageFile

_END_OF_IMAGE = b"\xff\xd9"
_END_MARKERS = _END_OF_IMAGE * (1 << 15)
"""More than the longest segment, so that a file that ends inside one ends the picture, too."""

_SEGMENTS = (b"\xff\xc4", b"\xff\xda", b"\xff\xdb")
"""The markers of Huffman tables, scans and quantization tables. Pixels never contain them."""

_MIN_SCAN_BYTES = 16
"""A file with fewer bytes of pixels shows nothing."""


class CutJpeg(JpegImageFile):
    """A JPEG that may lack its end. The missing part is gray, or as blurred as in the last complete scan.

    Pillow can do this for a whole process only (`LOAD_TRUNCATED_IMAGES`), which belongs to the host program.

    Attributes
    ----------
    is_truncated
        Whether the end was missing; known once the pixels are loaded.
    """

    is_truncated = False

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._scan_start = file.tell()

    def load_read(self, read_bytes: int) -> bytes:
        """Return the next bytes of the file; after the last ones, once, the marker of the end."""
        if self.fp is None:
            return b""
        data = self.fp.read(read_bytes)
        if len(data) < read_bytes:
            data = _without_cut_segment(data)
        if data or self.is_truncated or self.fp.tell() - self._scan_start < _MIN_SCAN_BYTES:
            return data
        self.is_truncated = True
        return _END_MARKERS

    def load_end(self) -> None:
        """Look for the end if the decoder had all pixels before it."""
        if not self.is_truncated and self.fp is not None:
            self.fp.seek(-len(_END_OF_IMAGE), os.SEEK_END)
            if self.fp.read() != _END_OF_IMAGE:  # it may also have something behind it
                self.fp.seek(self._scan_start)
                self.is_truncated = _END_OF_IMAGE not in self.fp.read()
        super().load_end()


def _without_cut_segment(data: bytes) -> bytes:
    """Return the last bytes of a file without a table or header that ends beyond them."""
    start = max(map(data.rfind, _SEGMENTS))
    header = data[start + 2 : start + 4]
    is_cut = start >= 0 and (len(header) < 2 or start + 2 + int.from_bytes(header, "big") > len(data))
    return data[:start] if is_cut else data
