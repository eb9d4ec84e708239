"""What is known of a picture besides its pixels: when, where and with what it was taken, and its words.

    from snapseek.metadata import Facts, Metadata, read_metadata

    facts = read_metadata(Metadata(exif=picture.getexif(), xmp=b"<x:xmpmeta ...", iptc=b"..."))
    facts.taken, facts.camera, facts.latitude, facts.tags

`exif` reads the camera's numbers, `xmp` the XML that programs write (hardened: no document type, no entity,
bounded), `iptc` the older block that press programs write. Each takes what is there and says nothing of what
is broken: no picture is lost for its metadata. Nothing here opens a file.
"""

from snapseek.metadata.embedded import MetadataBlocks, embedded_metadata
from snapseek.metadata.image_metadata import ImageMetadata

__all__ = ["ImageMetadata", "MetadataBlocks", "embedded_metadata"]
