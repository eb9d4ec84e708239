"""Downscale pictures, and encode them as JPEG."""

import io

from PIL import Image

JPEG_QUALITY = 85
MAX_JPEG_SIDE = 65_500
"""Maximum side of a JPEG in pixels, a limit of libjpeg."""

_REDUCING_GAP = 2.0
"""Large pictures are first reduced by block averages to this multiple of the target size, which is much
faster than one filter and hardly visible."""


def fit_width(image: Image.Image, width: int) -> Image.Image:
    """Downscale to at most `width` pixels (at least 1), keeping the aspect ratio."""
    return _shrink(image, width / image.width)


def fit_side(
    image: Image.Image, long_side: int, resampling: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    """Downscale the longer side to at most `long_side` pixels (at least 1), keeping the aspect ratio."""
    return _shrink(image, long_side / max(image.size), resampling)


def to_jpeg(image: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """Encode an RGB picture as a baseline JPEG without metadata, downscaled to MAX_JPEG_SIDE."""
    target = io.BytesIO()
    fit_side(image, MAX_JPEG_SIDE).save(target, "JPEG", quality=quality, comment=b"")
    return target.getvalue()


def _shrink(
    image: Image.Image, scale: float, resampling: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    if scale >= 1.0:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, resampling, reducing_gap=_REDUCING_GAP)
