"""Convert every color mode of Pillow to 8-bit RGB.

`convert("RGB")` alone reveals the colors under transparent pixels and clips 16-bit gray at 255. Transparent
pictures are therefore composited on white, and deep gray is scaled. Color profiles are not applied, because
the models were trained without them.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_DEEP_GRAY = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")


def to_rgb(picture: Image.Image) -> Image.Image:
    """Return a new RGB picture of the same size, without metadata.

    Raises
    ------
    ValueError
        If Pillow cannot convert the color mode to RGB.
    """
    if picture.mode in _DEEP_GRAY:
        plain = Image.fromarray(_gray_to_8_bit(picture)).convert("RGB")
    elif picture.has_transparency_data:
        plain = _on_white(picture)
    else:
        plain = picture.convert("RGB") if picture.mode != "RGB" else picture.copy()
    return _without_metadata(plain)


def _on_white(picture: Image.Image) -> Image.Image:
    layer = picture.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(paper, layer).convert("RGB")


def _gray_to_8_bit(picture: Image.Image) -> NDArray[np.uint8]:
    """Scale gray of 16 or 32 bits or floats to (height, width) uint8."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = _value_range(picture.mode, values)
    scaled = np.rint((values - low) * (255.0 / (high - low)))
    levels: NDArray[np.uint8] = scaled.clip(0, 255).astype(np.uint8)
    return levels


def _value_range(mode: str, values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the values that become black and white.

    16-bit gray has its full range. For 32-bit integers and floats the file does not specify one: it is the
    common range if all values lie in it, else the range of the picture's values.
    """
    full = 1.0 if mode == "F" else 65535.0
    low, high = float(values.min()), float(values.max())
    if mode.startswith("I;16") or (low >= 0.0 and high <= full) or low == high:
        return 0.0, full
    return low, high


def _without_metadata(picture: Image.Image) -> Image.Image:
    picture.info.clear()
    return picture
