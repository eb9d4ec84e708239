"""What is known of a picture besides its pixels: when, where and with what it was taken, and its words.

    from snapseek.facts import Facts, Metadata, read_metadata

    facts = read_metadata(Metadata(exif=picture.getexif(), xmp=b"<x:xmpmeta ...", iptc=b"..."))
    facts.taken, facts.camera, facts.latitude, facts.tags

`exif` reads the camera's numbers, `xmp` the XML that programs write (hardened: no document type, no entity,
bounded), `iptc` the older block that press programs write. Each takes what is there and says nothing of what
is broken: no picture is lost for its metadata. Nothing here opens a file.
"""

from snapseek.facts.embedded import Metadata, read_metadata
from snapseek.facts.facts import Facts

__all__ = ["Facts", "Metadata", "read_metadata"]
