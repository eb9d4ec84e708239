"""Decode pictures, resize them, and make previews.

`formats` detects a format from the first bytes of a file, `decode` reads it, `color_modes` converts every
pixel layout to RGB, `resize` makes it smaller, `preview` encodes it in at most 500 bytes.
"""

from snapseek.images.decode import DecodedImage, open_image, pixels_to_decode, read_metadata
from snapseek.images.preview import MAX_PREVIEW_BYTES, Preview, make_preview
from snapseek.images.resize import fit_side, fit_width, to_jpeg

__all__ = [
    "MAX_PREVIEW_BYTES",
    "DecodedImage",
    "Preview",
    "fit_side",
    "fit_width",
    "make_preview",
    "open_image",
    "pixels_to_decode",
    "read_metadata",
    "to_jpeg",
]
