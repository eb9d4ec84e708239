"""A file or bytes made into an upright RGB picture, or into one sentence that says why not.

`open_image` is the only door: nothing that a decoder raises passes it except as `PictureError`. The size
is checked from the header before any pixel is decoded, and Pillow's process-wide settings are left alone.
"""

import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from snapseek.errors import PictureError
from snapseek.images.color_modes import to_rgb
from snapseek.images.counted_reads import CountedReads
from snapseek.images.formats import HEAD_BYTES, ImageFormat, describe_unknown, find_format, format_names
from snapseek.metadata import ImageMetadata, MetadataBlocks, embedded_metadata

MAX_FILE_BYTES = 512 * 2**20
"""Files above this are refused unread."""

MAX_DECODED_PIXELS = 200_000_000
"""Pictures that would be larger than this in memory (600 MB as RGB) are refused; the largest phone
sensors give 200 megapixels. TIFF and GIF meet a bound of Pillow's own, at 179 megapixels."""

MAX_HEADER_PIXELS = 1_000_000_000
"""A JPEG that is shrunk while it is read may be larger than MAX_DECODED_PIXELS, but not than this:
every one of its blocks is still visited."""

DRAFT_FACTOR = 2
"""How much larger than asked a JPEG stays when it is shrunk while it is read, so that the resize that
follows decides what the picture looks like."""

_ORIENTATION_TAG = 0x0112
_IPTC_RESOURCE = 0x0404

_UPRIGHT_BY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture in memory.

    `image` is RGB, upright and without metadata; it may be smaller than the original when `min_side` was
    given. `width` and `height` are those of the upright original in pixels, `size_bytes` is the length of
    the file, `media_type` what a server calls it ("image/jpeg"), `kind` the word for it ("jpeg"). `facts` is
    what the file says of itself.
    """

    image: Image.Image
    width: int
    height: int
    media_type: str
    size_bytes: int
    kind: str
    metadata: ImageMetadata


def open_image(source: Path | bytes, *, min_side: int | None = None) -> DecodedImage:
    """The picture in a file, or in bytes that were one.

    With `min_side` (pixels, at least 1), a JPEG is shrunk by 2, 4 or 8 while it is read, as long as both its
    sides stay at least DRAFT_FACTOR times that; other kinds are always read whole. Of an animation the first
    frame is taken. Transparent pixels become white; colour profiles are ignored.

    Raises:
        PictureError: the reason why the picture cannot be read, without its name.
    """
    if isinstance(source, bytes):
        return _decode(io.BytesIO(source), _checked_size(len(source)), min_side)
    try:
        size_bytes = _checked_size(_regular_file_size(source))
        with source.open("rb") as file:
            return _decode(file, size_bytes, min_side)
    except OSError as error:
        raise PictureError(_file_reason(error)) from error
    except ValueError as error:  # a path with a NUL in it
        raise PictureError("the file's name is not one that this system can open") from error


def _regular_file_size(path: Path) -> int:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise PictureError("expected a file, found a folder")
    if not stat.S_ISREG(status.st_mode):
        raise PictureError("expected an ordinary file, found a device, a socket or a pipe")
    return status.st_size


def _checked_size(size_bytes: int) -> int:
    if size_bytes == 0:
        raise PictureError("the file is empty")
    if size_bytes > MAX_FILE_BYTES:
        found, bound = size_bytes / 2**20, MAX_FILE_BYTES // 2**20
        raise PictureError(f"the file has {found:.0f} MiB, and pictures of at most {bound} MiB are read")
    return size_bytes


def _decode(file: IO[bytes], size_bytes: int, min_side: int | None) -> DecodedImage:
    kind = _kind_of(file)
    with _translating(kind):
        opened = kind.open(_counted(file, size_bytes))
        picture, (width, height) = _load(opened, min_side)
        facts = embedded_metadata(_metadata(opened))
        image = to_rgb(picture)
    return DecodedImage(image, width, height, kind.media_type, size_bytes, kind.name.lower(), facts)


def pixels_to_decode(data: bytes, *, min_side: int | None = None) -> int:
    """Return how many pixels `open_image` would hold while it decodes these bytes; only the header is read.

    Raises PictureError as `open_image` does.
    """
    file = io.BytesIO(data)
    size_bytes = _checked_size(len(data))
    kind = _kind_of(file)
    with _translating(kind):
        return _shrunk(kind.open(_counted(file, size_bytes)), min_side)


def _counted(file: IO[bytes], size_bytes: int) -> IO[bytes]:
    return cast("IO[bytes]", CountedReads(file, size_bytes))


@contextmanager
def _translating(kind: ImageFormat) -> Iterator[None]:
    try:
        yield
    except PictureError:
        raise
    except Exception as error:
        # Decoders raise whatever their C code or a bad offset leads to. One bad file must not stop an index.
        raise PictureError(_damage_reason(error, kind)) from error


def _kind_of(file: IO[bytes]) -> ImageFormat:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    kind = find_format(head)
    if kind is None:
        raise PictureError(f"expected {format_names()}, found {describe_unknown(head)}")
    return kind


def _load(picture: ImageFile, min_side: int | None) -> tuple[Image.Image, tuple[int, int]]:
    """The decoded upright picture and the (width, height) of its upright original."""
    width, height = picture.size
    _shrunk(picture, min_side)
    picture.load()
    orientation = _orientation(picture)
    if orientation in _LYING:
        width, height = height, width
    upright = picture.transpose(_UPRIGHT_BY[orientation]) if orientation in _UPRIGHT_BY else picture
    return upright, (width, height)


def _shrunk(picture: ImageFile, min_side: int | None) -> int:
    """Let a JPEG be shrunk while it is read; return how many pixels reading will hold, within bounds."""
    header_pixels = picture.width * picture.height
    _check_pixels(header_pixels, MAX_HEADER_PIXELS)
    if min_side is not None and isinstance(picture, JpegImageFile):
        picture.draft(None, (DRAFT_FACTOR * min_side, DRAFT_FACTOR * min_side))
    pixels = _pixels_in_memory(picture, header_pixels)
    _check_pixels(pixels, MAX_DECODED_PIXELS)
    return pixels


def _pixels_in_memory(picture: ImageFile, header_pixels: int) -> int:
    """Pixels that reading will hold; a progressive JPEG is held whole however much it is shrunk."""
    progressive = "progressive" in picture.info
    return header_pixels if progressive else picture.width * picture.height


def _check_pixels(pixels: int, bound: int) -> None:
    if pixels > bound:
        raise PictureError(
            f"the picture has {pixels / 1e6:.0f} megapixels, and at most {bound / 1e6:.0f} are read"
        )


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) when there is none or it cannot be read.

    Asked for after the pixels are loaded: Pillow turns TIFF itself and then removes the tag.
    """
    try:
        value = picture.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # damaged metadata does not make the pixels unreadable
        return 1
    return value if isinstance(value, int) else 1


def _metadata(picture: ImageFile) -> MetadataBlocks:
    """The blocks of metadata in an opened file; asked for after the pixels, where PNG may keep them."""
    xmp = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp")
    photoshop = picture.info.get("photoshop")
    iptc = photoshop.get(_IPTC_RESOURCE) if isinstance(photoshop, dict) else None
    try:
        exif = picture.getexif()
    except Exception:  # as in `_orientation`
        exif = None
    return MetadataBlocks(exif, xmp.encode() if isinstance(xmp, str) else xmp, iptc)


def _file_reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "the file is not there any more"
    if isinstance(error, PermissionError):
        return "permission to read the file was refused"
    return f"the file cannot be read: {os.strerror(error.errno) if error.errno else error}"


def _damage_reason(error: Exception, kind: ImageFormat) -> str:
    """What went wrong inside a decoder, in plain words."""
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode the picture"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "the picture has more pixels than Pillow agrees to decode"
    if isinstance(error, OSError) and error.errno:
        return f"the file cannot be read: {os.strerror(error.errno)}"
    if _is_cut_short(error):
        return f"the {kind.name} file ends before the picture does: it was not copied or saved completely"
    return f"the {kind.name} data is damaged or of an unusual kind: {_first_line(error)}"


def _is_cut_short(error: Exception) -> bool:
    words = str(error).lower()
    return isinstance(error, EOFError) or "truncated" in words or _is_unfinished_stream(error)


def _is_unfinished_stream(error: Exception) -> bool:
    return isinstance(error, zlib.error) and "incomplete" in str(error)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
