"""Pictures made smaller, and encoded for the browser."""

import io

from PIL import Image

JPEG_QUALITY = 85
MAX_JPEG_SIDE = 65_500
"""The longest side that libjpeg writes, in pixels."""

_SLACK = 2.0
"""Large pictures are first averaged in whole blocks down to this many times the wanted size, which is much
faster than one long filter and hardly visible."""


def fit_width(image: Image.Image, width: int) -> Image.Image:
    """The picture at most `width` pixels (at least 1) wide, in proportion; never enlarged."""
    return _shrink(image, width / image.width)


def fit_side(
    image: Image.Image, long_side: int, resampling: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    """The picture with its longer side at most `long_side` pixels (at least 1); never enlarged."""
    return _shrink(image, long_side / max(image.size), resampling)


def to_jpeg(image: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """An RGB picture as a baseline JPEG without metadata; sides above MAX_JPEG_SIDE are shrunk to it."""
    target = io.BytesIO()
    fit_side(image, MAX_JPEG_SIDE).save(target, "JPEG", quality=quality, comment=b"")
    return target.getvalue()


def _shrink(
    image: Image.Image, scale: float, resampling: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    if scale >= 1.0:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, resampling, reducing_gap=_SLACK)
