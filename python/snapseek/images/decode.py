"""Decode a file or bytes to an upright RGB picture.

`open_image` turns every error of a decoder into a `PictureError`. It checks the size in the header before it
decodes pixels, and leaves the process-wide settings of Pillow alone.
"""

import io
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from snapseek.errors import PictureError
from snapseek.images.color_modes import to_rgb
from snapseek.images.counted_reads import CountedReads
from snapseek.images.cut_jpeg import CutJpeg
from snapseek.images.formats import HEAD_BYTES, ImageFormat, describe_unknown, find_format, format_names
from snapseek.images.raw import is_raw, raw_exif, read_raw, upright
from snapseek.images.video import is_video, read_frame
from snapseek.metadata import ImageMetadata, MetadataBlocks, embedded_metadata

MAX_FILE_BYTES = 512 * 2**20
"""Larger files are rejected before they are read."""

MAX_DECODED_PIXELS = 200_000_000
"""Maximum size in memory (600 MB as RGB); the largest phone sensors have 200 megapixels. For TIFF and GIF,
Pillow has a bound of its own at 179 megapixels."""

MAX_HEADER_PIXELS = 1_000_000_000
"""Maximum size of a JPEG that is downscaled while it is decoded: all its blocks are still read."""

DRAFT_FACTOR = 2
"""A JPEG is downscaled during decoding to no less than this multiple of the target size, so that the resize
afterwards determines the quality."""

_BYTES_PER_PIXEL = 8
"""Of a picture in memory and of its RGB copy."""

Reserve = Callable[[int], object]
"""Called with the bytes that decoding will hold, before any pixel is decoded."""

_ORIENTATION_TAG = 0x0112
_IPTC_RESOURCE = 0x0404
_IPTC_TAG = 0x83BB

_UPRIGHT_BY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A decoded picture.

    Attributes
    ----------
    image
        The upright RGB picture, without metadata; smaller than the original if `min_side` was passed.
    width, height
        Size of the upright original, in pixels.
    media_type
        The media type, such as `image/jpeg`.
    size_bytes
        Size of the file.
    kind
        Lower-case name of the format, such as `jpeg`.
    metadata
        The embedded metadata.
    is_truncated
        Whether the end of a JPEG is missing, so that a part of the picture is gray or blurred.
    duration_s
        Length of a video in seconds, of which `image` is one frame; None for a picture.
    """

    image: Image.Image
    width: int
    height: int
    media_type: str
    size_bytes: int
    kind: str
    metadata: ImageMetadata
    is_truncated: bool = False
    duration_s: float | None = None


def open_image(
    source: Path | bytes, *, name: str = "", min_side: int | None = None, reserve: Reserve | None = None
) -> DecodedImage:
    """Decode a picture. Transparent pixels become white, and color profiles are ignored.

    Parameters
    ----------
    source
        A path, or the content of a file. Of an animation, the first frame is decoded. By their names, paths
        may also be RAW files and videos, if the packages that read them are installed.
    name
        The name of the file whose content is passed: by it, that may be a RAW file, too.
    min_side
        Side in pixels, at least 1. A JPEG is downscaled by 2, 4 or 8 during decoding as long as both sides
        keep DRAFT_FACTOR times that; other formats are decoded in full size.
    reserve
        Called once the size is known, with the bytes that the picture will take in memory. It may wait.

    Returns
    -------
    DecodedImage
        The picture and its metadata.

    Raises
    ------
    PictureError
        If the picture cannot be read; the message does not contain its name.
    """
    if isinstance(source, bytes):
        size_bytes = _checked_size(len(source))
        if is_raw(source, name):
            return _decode_raw(source, size_bytes, min_side, reserve)
        return _decode(io.BytesIO(source), size_bytes, min_side, reserve)
    try:
        size_bytes = _regular_file_size(source)
        if size_bytes and is_video(source):
            return _decode_video(source, size_bytes)
        _checked_size(size_bytes)
        if is_raw(source, source):
            return _decode_raw(source, size_bytes, min_side, reserve)
        with source.open("rb") as file:
            return _decode(file, size_bytes, min_side, reserve)
    except OSError as error:
        raise PictureError(_file_reason(error)) from error
    except ValueError as error:  # a path with a NUL character
        raise PictureError("the name of the file is not valid on this system") from error


def _regular_file_size(path: Path) -> int:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise PictureError(expected="a file", got="a folder")
    if not stat.S_ISREG(status.st_mode):
        raise PictureError(expected="a regular file", got="a device, a socket or a pipe")
    return status.st_size


def _checked_size(size_bytes: int) -> int:
    if size_bytes == 0:
        raise PictureError("the file is empty")
    if size_bytes > MAX_FILE_BYTES:
        found, bound = size_bytes / 2**20, MAX_FILE_BYTES // 2**20
        raise PictureError(f"the file has {found:.0f} MiB, and the limit is {bound} MiB")
    return size_bytes


def _decode(file: IO[bytes], size_bytes: int, min_side: int | None, reserve: Reserve | None) -> DecodedImage:
    image_format = _detect_format(file)
    with _translating(image_format):
        opened = image_format.open(_counted(file, size_bytes))
        header_size = opened.size  # of the original, before it is shrunk
        pixels = _shrunk(opened, min_side)
        if reserve is not None:
            reserve(pixels * _BYTES_PER_PIXEL + size_bytes)
        picture, (width, height) = _load(opened, header_size)
        metadata = embedded_metadata(_metadata_blocks(opened))
        image = to_rgb(picture)
        is_truncated = isinstance(opened, CutJpeg) and opened.is_truncated
    kind = image_format.name.lower()
    return DecodedImage(
        image, width, height, image_format.media_type, size_bytes, kind, metadata, is_truncated
    )


def _decode_raw(
    source: Path | bytes, size_bytes: int, min_side: int | None, reserve: Reserve | None
) -> DecodedImage:
    embedded, flip, (width, height) = read_raw(source)
    metadata = embedded_metadata(MetadataBlocks(raw_exif(source), None, None))
    if isinstance(embedded, bytes):
        decoded = _decode(io.BytesIO(embedded), _checked_size(len(embedded)), min_side, reserve)
        metadata = decoded.metadata.merged_with(metadata)
        image = upright(decoded.image, flip)
    else:
        image = upright(to_rgb(embedded), flip)
    return DecodedImage(image, width, height, "image/x-raw", size_bytes, "raw", metadata)


def _decode_video(path: Path, size_bytes: int) -> DecodedImage:
    frame = read_frame(path)
    width, height = frame.image.size
    return DecodedImage(
        to_rgb(frame.image),
        width,
        height,
        "video/*",
        size_bytes,
        "video",
        frame.metadata,
        duration_s=frame.duration_s,
    )


def read_metadata(path: Path) -> ImageMetadata:
    """Return the embedded metadata of a picture file without decoding it, where its format allows.

    Raises PictureError as `open_image` does.
    """
    try:
        size_bytes = _regular_file_size(path)
        if size_bytes and is_video(path):
            return read_frame(path).metadata
        _checked_size(size_bytes)
        if is_raw(path, path):
            return _decode_raw(path, size_bytes, 1, None).metadata
        with path.open("rb") as file:
            image_format = _detect_format(file)
            with _translating(image_format):
                opened = image_format.open(_counted(file, size_bytes))
                if isinstance(opened, PngImageFile):  # its texts may follow the pixels
                    _shrunk(opened, None)
                    opened.load()
                return embedded_metadata(_metadata_blocks(opened))
    except OSError as error:
        raise PictureError(_file_reason(error)) from error


def pixels_to_decode(data: bytes, *, min_side: int | None = None) -> int:
    """Return how many pixels `open_image` would hold while it decodes these bytes; only the header is read.

    Raises PictureError as `open_image` does.
    """
    file = io.BytesIO(data)
    size_bytes = _checked_size(len(data))
    image_format = _detect_format(file)
    with _translating(image_format):
        return _shrunk(image_format.open(_counted(file, size_bytes)), min_side)


def _counted(file: IO[bytes], size_bytes: int) -> IO[bytes]:
    return cast("IO[bytes]", CountedReads(file, size_bytes))


@contextmanager
def _translating(image_format: ImageFormat) -> Iterator[None]:
    try:
        yield
    except PictureError:
        raise
    except Exception as error:
        # A decoder may raise anything. One bad file must not stop indexing.
        raise PictureError(_damage_reason(error, image_format)) from error


def _detect_format(file: IO[bytes]) -> ImageFormat:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    image_format = find_format(head)
    if image_format is None:
        raise PictureError(expected=format_names(), got=describe_unknown(head))
    return image_format


def _load(picture: ImageFile, header_size: tuple[int, int]) -> tuple[Image.Image, tuple[int, int]]:
    """Return the upright picture, and the (width, height) of the upright original."""
    width, height = header_size
    picture.load()
    orientation = _orientation(picture)
    if orientation in _SWAPS_SIDES:
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
    """Return the pixels that decoding holds; a progressive JPEG is held in full size."""
    progressive = "progressive" in picture.info
    return header_pixels if progressive else picture.width * picture.height


def _check_pixels(pixels: int, bound: int) -> None:
    if pixels > bound:
        raise PictureError(
            f"the picture has {pixels / 1e6:.0f} megapixels, and the limit is {bound / 1e6:.0f}"
        )


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) if it is missing or damaged.

    Call it after the pixels are loaded: Pillow rotates TIFF itself, and then removes the tag.
    """
    try:
        value = picture.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # damaged metadata does not make the pixels unreadable
        return 1
    return value if isinstance(value, int) else 1


def _metadata_blocks(picture: ImageFile) -> MetadataBlocks:
    """Return the metadata blocks of a file. Call it after the pixels are loaded, which PNG may precede."""
    xmp = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp")
    photoshop = picture.info.get("photoshop")
    iptc = photoshop.get(_IPTC_RESOURCE) if isinstance(photoshop, dict) else _iptc_of_tiff(picture)
    try:
        exif = picture.getexif()
    except Exception:  # as in `_orientation`
        exif = None
    return MetadataBlocks(exif, xmp.encode() if isinstance(xmp, str) else xmp, iptc)


def _iptc_of_tiff(picture: ImageFile) -> bytes | None:
    """Return the IPTC block of a TIFF file. Some programs declare its bytes as numbers of four bytes each.

    Pillow's public access to the tag warns about those, and keeps only the first one.
    """
    if not isinstance(picture, TiffImageFile):
        return None
    block = picture.tag_v2._tagdata.get(_IPTC_TAG)
    return block if isinstance(block, bytes) else None


def _file_reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "the file does not exist any more"
    if isinstance(error, PermissionError):
        return "the file cannot be read: permission denied"
    return f"the file cannot be read: {os.strerror(error.errno) if error.errno else error}"


def _damage_reason(error: Exception, image_format: ImageFormat) -> str:
    """Return the reason for an error of a decoder, in plain words."""
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode the picture"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "the picture has more pixels than Pillow decodes"
    if isinstance(error, OSError) and error.errno:
        return f"the file cannot be read: {os.strerror(error.errno)}"
    if _is_truncated(error):
        return f"the {image_format.name} file is truncated: it was not copied or saved completely"
    return f"the {image_format.name} data is damaged or not supported: {_first_line(error)}"


def _is_truncated(error: Exception) -> bool:
    words = str(error).lower()
    return isinstance(error, EOFError) or "truncated" in words or _is_unfinished_stream(error)


def _is_unfinished_stream(error: Exception) -> bool:
    return isinstance(error, zlib.error) and "incomplete" in str(error)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
