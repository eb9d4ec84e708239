"""Pictures: opened, turned upright, made small.

    from pathlib import Path
    from snapseek.images import make_preview, open_picture

    decoded = open_picture(Path("cat.jpg"), min_side=224)   # or PictureError with the reason
    preview = make_preview(decoded.image)                   # WebP of at most 500 bytes, and a colour

`kinds` tells what a file is from its first bytes, `decode` reads it, `colours` makes any pixel layout RGB,
`resize` makes a picture smaller and encodes it for the browser, `preview` makes the thumbnail that travels
inside an answer. Nothing here knows of models, libraries or servers.
"""

from snapseek.images.decode import Decoded, open_picture
from snapseek.images.preview import MAX_PREVIEW_BYTES, Preview, make_preview
from snapseek.images.resize import fit_side, fit_width, to_jpeg

__all__ = [
    "MAX_PREVIEW_BYTES",
    "Decoded",
    "Preview",
    "fit_side",
    "fit_width",
    "make_preview",
    "open_picture",
    "to_jpeg",
]
