"""Metadata of a picture: when, where and with which camera it was taken, title, caption and tags.

    from snapseek.metadata import MetadataBlocks, embedded_metadata

    metadata = embedded_metadata(MetadataBlocks(exif=picture.getexif(), xmp=b"<x:xmpmeta ...", iptc=b"..."))
    metadata.taken, metadata.camera, metadata.latitude, metadata.tags

`exif` reads the fields of the camera, `xmp` the XML of photo programs (untrusted, so bounded, and without
document types and entities), `iptc` the older binary block of press programs. Each skips damaged fields, so
that bad metadata never makes a picture unreadable. Nothing here opens a file.
"""

from snapseek.metadata.embedded import MetadataBlocks, embedded_metadata
from snapseek.metadata.image_metadata import ImageMetadata

__all__ = ["ImageMetadata", "MetadataBlocks", "embedded_metadata"]
