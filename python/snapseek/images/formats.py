"""Detect the format of a picture by its first bytes; its name does not count.

Only these formats are opened, because each decoder is C code that a malicious file could attack. The plugin
classes of Pillow are called directly: `Image.open` depends on process-wide settings (registered plugins,
`MAX_IMAGE_PIXELS`), which belong to the host program.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from PIL import features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from snapseek.file_kinds import is_installed
from snapseek.images.cut_jpeg import CutJpeg

HEAD_BYTES = 64
"""Number of bytes at the start of a file that detection needs."""


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """A picture format: name, media type, test of the first bytes, and function that opens a file."""

    name: str
    media_type: str
    matches: Callable[[bytes], bool]
    open: Callable[[IO[bytes]], ImageFile]


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


def _is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _brands(head: bytes) -> set[bytes]:
    """Return the brands in the first box of an ISO media file; empty for other files."""
    if head[4:8] != b"ftyp":
        return set()
    box = head[: int.from_bytes(head[:4], "big")]
    return {box[8:12]} | {box[start : start + 4] for start in range(16, len(box), 4)}


def _is_avif(head: bytes) -> bool:
    return not _brands(head).isdisjoint({b"avif", b"avis"})


def _is_heic(head: bytes) -> bool:
    return not _brands(head).isdisjoint({b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1"})


def _open_heic(file: IO[bytes]) -> ImageFile:
    from pillow_heif import HeifImageFile  # optional and slow to import

    opened: ImageFile = HeifImageFile(file)  # type: ignore[no-untyped-call]
    return opened


_ALL_FORMATS = (
    ImageFormat("JPEG", "image/jpeg", _starts(b"\xff\xd8\xff"), CutJpeg),
    ImageFormat("PNG", "image/png", _starts(b"\x89PNG\r\n\x1a\n"), PngImageFile),
    ImageFormat("GIF", "image/gif", _starts(b"GIF87a", b"GIF89a"), GifImageFile),
    ImageFormat("WebP", "image/webp", _is_webp, WebPImageFile),
    ImageFormat("AVIF", "image/avif", _is_avif, AvifImageFile),
    ImageFormat("TIFF", "image/tiff", _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImageFile),
    ImageFormat("BMP", "image/bmp", _starts(b"BM"), BmpImageFile),
    ImageFormat("HEIC", "image/heic", _is_heic, _open_heic),
)


def _can_be_opened(image_format: ImageFormat) -> bool:
    if image_format.name == "HEIC":
        return is_installed("pillow_heif")
    return image_format.name not in {"WebP", "AVIF"} or bool(features.check(image_format.name.lower()))


FORMATS = tuple(image_format for image_format in _ALL_FORMATS if _can_be_opened(image_format))
"""The supported formats: JPEG, PNG, GIF, TIFF, BMP; WebP and AVIF if Pillow was built with them; HEIC if
pillow-heif is installed, which it is by default where it has wheels."""

_UNSUPPORTED: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (lambda head: b"<svg" in head or head.lstrip().startswith(b"<?xml"), "an SVG or XML drawing"),
    (_is_heic, "a HEIC photograph (install support with: pip install pillow-heif)"),
    (_starts(b"\xff\x0a", b"\0\0\0\x0cJXL "), "a JPEG XL picture"),
    (_starts(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
    (_starts(b"8BPS"), "a Photoshop document"),
    (_starts(b"%PDF"), "a PDF document"),
    (_starts(b"PK\x03\x04"), "a ZIP archive"),
    (lambda head: head[4:8] == b"ftyp", "a video"),
    (lambda head: _looks_like_text(head), "text"),
)


def _looks_like_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in head)


def find_format(head: bytes) -> ImageFormat | None:
    """Return the format of a file by its first HEAD_BYTES bytes, None if it is not supported."""
    return next((image_format for image_format in FORMATS if image_format.matches(head)), None)


def describe_unknown(head: bytes) -> str:
    """Return what an unsupported file is, such as "a PDF document"."""
    return next((name for matches, name in _UNSUPPORTED if matches(head)), "an unknown type of file")


def format_names() -> str:
    """Return the supported formats as part of a sentence: "JPEG, PNG, GIF, TIFF or BMP"."""
    *others, last = (image_format.name for image_format in FORMATS)
    return f"{', '.join(others)} or {last}"
