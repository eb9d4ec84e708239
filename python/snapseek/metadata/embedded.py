"""Metadata embedded in a picture file: EXIF, XMP and IPTC merged."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from PIL import Image

from snapseek.metadata.exif import read_exif
from snapseek.metadata.image_metadata import NO_METADATA, ImageMetadata
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
    """Merge the metadata of all blocks.

    Texts of XMP and IPTC override those of EXIF; time, camera and location of EXIF override those of XMP.
    """
    exif = _read_or_skip(read_exif, metadata.exif)
    xmp = _read_or_skip(read_xmp, metadata.xmp)
    iptc = _read_or_skip(read_iptc, metadata.iptc)
    texts = xmp.merged_with(iptc).merged_with(exif)
    fields = exif.merged_with(xmp)
    fields = fields.merged_with(iptc)
    return replace(fields, rating=texts.rating, title=texts.title, caption=texts.caption, tags=texts.tags)


def _read_or_skip(read: Callable[[_In], ImageMetadata], block: _In | None) -> ImageMetadata:
    if not block:
        return NO_METADATA
    try:
        return read(block)
    except Exception:  # damaged metadata of any program must not make a picture unreadable
        return NO_METADATA
