"""Convert every color mode of Pillow to 8-bit RGB.

`convert("RGB")` alone reveals the colors under transparent pixels and clips 16-bit gray at 255. Transparent
pictures are therefore composited on white, and deep gray is scaled. Color profiles are not applied, because
the models were trained without them.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BAND_PIXELS = 1 << 22
"""Pixels that are converted at once, since a conversion holds several copies of them."""

_DEEP_GRAY = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")


def to_rgb(picture: Image.Image) -> Image.Image:
    """Return a new RGB picture of the same size, without metadata.

    Raises
    ------
    ValueError
        If Pillow cannot convert the color mode to RGB.
    """
    if picture.mode in _DEEP_GRAY:
        low, high = _value_range(picture)
        plain = _by_band(picture, lambda band: Image.fromarray(_gray_to_8_bit(band, low, high)))
    elif picture.has_transparency_data:
        plain = _by_band(picture, _on_white)
    else:
        plain = picture.convert("RGB") if picture.mode != "RGB" else picture.copy()
    return _without_metadata(plain)


def _bands(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield the picture in horizontal bands, each with its first row."""
    rows = max(1, _BAND_PIXELS // picture.width)
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _by_band(picture: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Return the RGB picture of the converted bands."""
    plain = Image.new("RGB", picture.size)
    for top, band in _bands(picture):
        plain.paste(convert(band), (0, top))
    return plain


def _on_white(picture: Image.Image) -> Image.Image:
    layer = picture.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(paper, layer).convert("RGB")


def _gray_to_8_bit(picture: Image.Image, low: float, high: float) -> NDArray[np.uint8]:
    """Scale gray of 16 or 32 bits or floats to (height, width) uint8."""
    scaled = np.rint((_finite_values(picture) - low) * (255.0 / (high - low)))
    levels: NDArray[np.uint8] = scaled.clip(0, 255).astype(np.uint8)
    return levels


def _finite_values(picture: Image.Image) -> NDArray[np.float32]:
    return np.nan_to_num(np.asarray(picture, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)


def _value_range(picture: Image.Image) -> tuple[float, float]:
    """Return the values that become black and white.

    16-bit gray has its full range. For 32-bit integers and floats the file does not specify one: it is the
    common range if all values lie in it, else the range of the picture's values.
    """
    full = 1.0 if picture.mode == "F" else 65535.0
    if picture.mode.startswith("I;16"):
        return 0.0, full
    ranges = [
        (float(band.min()), float(band.max()))
        for band in (_finite_values(band) for _, band in _bands(picture))
    ]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if (low >= 0.0 and high <= full) or low == high:
        return 0.0, full
    return low, high


def _without_metadata(picture: Image.Image) -> Image.Image:
    picture.info.clear()
    return picture
