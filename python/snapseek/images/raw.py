"""RAW files of cameras: the JPEG that the camera put inside, or else the developed sensor data.

LibRaw reads them, through the optional package rawpy.
"""

import io
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from PIL import Image

from snapseek.errors import PictureError
from snapseek.file_kinds import RAW_SUFFIXES, suffix_of
from snapseek.images.cut_jpeg import CutJpeg
from snapseek.images.formats import HEAD_BYTES, find_format

_ORIENTATION_TAG = 0x0112
_UPRIGHT_BY = {
    3: Image.Transpose.ROTATE_180,
    5: Image.Transpose.ROTATE_90,
    6: Image.Transpose.ROTATE_270,
}
"""By LibRaw's `flip`."""


def is_raw(source: Path | bytes, name: str | Path) -> bool:
    """Return whether a file, or its content, has the name of a RAW file and no format of pictures."""
    if suffix_of(name) not in RAW_SUFFIXES:
        return False
    with _opened(source) as file:
        found = find_format(file.read(HEAD_BYTES))
    return found is None or found.name == "TIFF"  # most RAW files are TIFF files, too


def _opened(source: Path | bytes) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def read_raw(source: Path | bytes) -> tuple[bytes | Image.Image, int, tuple[int, int]]:
    """Return the embedded JPEG or the developed picture, its flip, and the upright (width, height).

    Raises PictureError if LibRaw cannot read the file, or is not installed.
    """
    try:
        import rawpy
    except ImportError as error:
        raise PictureError(
            "RAW files need a package that is not installed", hint='run: pip install "snapseek[raw]"'
        ) from error
    try:
        with rawpy.imread(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as raw:
            sizes = raw.sizes
            embedded = _embedded(rawpy, raw)
            if embedded is None:  # LibRaw turns what it develops
                return Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True)), 0, _size(sizes)
            return embedded, 0 if _says_orientation(embedded) else sizes.flip, _size(sizes)
    except rawpy.LibRawError as error:
        raise PictureError(f"the RAW data is damaged or not supported: {_words(error)}") from error


def upright(picture: Image.Image, flip: int) -> Image.Image:
    """Return a picture upright that does not say itself how it was taken."""
    return picture.transpose(_UPRIGHT_BY[flip]) if flip in _UPRIGHT_BY else picture


def raw_exif(source: Path | bytes) -> Image.Exif | None:
    """Return the EXIF data of a RAW file that is a TIFF file; None for any other."""
    with suppress(Exception), _opened(source) as file:
        exif = Image.Exif()
        exif.load_from_fp(io.BytesIO(file.read(1 << 20)))
        return exif
    return None


def _embedded(rawpy: Any, raw: Any) -> bytes | Image.Image | None:
    try:
        found = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if found.format == rawpy.ThumbFormat.JPEG:
        return bytes(found.data)
    return Image.fromarray(found.data) if found.format == rawpy.ThumbFormat.BITMAP else None


def _says_orientation(embedded: bytes | Image.Image) -> bool:
    """Return whether an embedded JPEG has an orientation of its own, which the decoder applies."""
    with suppress(Exception):  # damaged metadata
        return isinstance(embedded, bytes) and _ORIENTATION_TAG in CutJpeg(io.BytesIO(embedded)).getexif()
    return False


def _size(sizes: Any) -> tuple[int, int]:
    size = (int(sizes.width), int(sizes.height))
    return size[::-1] if sizes.flip in (5, 6) else size


def _words(error: Exception) -> str:
    text = error.args[0] if error.args else error
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
