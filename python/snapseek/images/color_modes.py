"""Every pixel layout that Pillow reads, as plain 8-bit RGB.

A bare `convert("RGB")` shows the colours hidden under transparent pixels and clips 16-bit grey at 255, so
both are done by hand: transparency is laid on white paper, deep grey is scaled. Embedded colour profiles
are not applied: the models were trained on pictures read without them.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_DEEP_GREY = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")


def to_rgb(picture: Image.Image) -> Image.Image:
    """A new RGB picture of the same size without metadata.

    Raises:
        ValueError: the layout has no conversion to RGB.
    """
    if picture.mode in _DEEP_GREY:
        plain = Image.fromarray(_grey_to_8_bit(picture)).convert("RGB")
    elif picture.has_transparency_data:
        plain = _on_white(picture)
    else:
        plain = picture.convert("RGB") if picture.mode != "RGB" else picture.copy()
    return _without_metadata(plain)


def _on_white(picture: Image.Image) -> Image.Image:
    layer = picture.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(paper, layer).convert("RGB")


def _grey_to_8_bit(picture: Image.Image) -> NDArray[np.uint8]:
    """Grey of 16 or 32 bits or floats as (h, w) uint8; black and white stay where the values put them."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = _value_range(picture.mode, values)
    scaled = np.rint((values - low) * (255.0 / (high - low)))
    levels: NDArray[np.uint8] = scaled.clip(0, 255).astype(np.uint8)
    return levels


def _value_range(mode: str, values: NDArray[np.float32]) -> tuple[float, float]:
    """The values that become black and white.

    16-bit grey has its full range. For 32-bit integers and floats the file does not say, so the usual
    range is taken when all values lie in it, and otherwise the picture's own darkest and lightest.
    """
    full = 1.0 if mode == "F" else 65535.0
    low, high = float(values.min()), float(values.max())
    if mode.startswith("I;16") or (low >= 0.0 and high <= full) or low == high:
        return 0.0, full
    return low, high


def _without_metadata(picture: Image.Image) -> Image.Image:
    picture.info.clear()
    return picture
