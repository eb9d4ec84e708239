"""All that a picture's own file says of it, the blocks brought together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from PIL import Image

from snapseek.metadata.exif import read_exif
from snapseek.metadata.image_metadata import NOTHING, ImageMetadata
from snapseek.metadata.iptc import read_iptc
from snapseek.metadata.xmp import read_xmp

_In = TypeVar("_In")


@dataclass(frozen=True, slots=True)
class MetadataBlocks:
    """The blocks of metadata in a file, as Pillow found them."""

    exif: Image.Exif | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None


def embedded_metadata(metadata: MetadataBlocks) -> ImageMetadata:
    """The facts in all blocks: people's words before the camera's, the camera's numbers before programs'."""
    exif = _or_nothing(read_exif, metadata.exif)
    xmp = _or_nothing(read_xmp, metadata.xmp)
    iptc = _or_nothing(read_iptc, metadata.iptc)
    words = xmp.merged_with(iptc).merged_with(exif)
    numbers = exif.merged_with(xmp)
    return ImageMetadata(
        taken=numbers.taken,
        camera=numbers.camera,
        latitude=numbers.latitude,
        longitude=numbers.longitude,
        title=words.title,
        caption=words.caption,
        tags=words.tags,
    )


def _or_nothing(read: Callable[[_In], ImageMetadata], block: _In | None) -> ImageMetadata:
    if not block:
        return NOTHING
    try:
        return read(block)
    except (
        Exception
    ):  # metadata is of any program's making, and damaged metadata does not make a picture unreadable
        return NOTHING
