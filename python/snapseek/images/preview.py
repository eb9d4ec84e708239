"""A recognisable picture in at most 500 bytes, and the one colour it begins with.

A preview is a lossy WebP. Its bytes are shared between many pixels and faithful ones. What is best was
measured on the demo pictures as structural similarity (see tests/support/structural_similarity.py) to the
original at 256 pixels:

* the side depends on the picture: a calm one carries 144 pixels, a busy one 64. One trial encoding tells
  which (`_SIDE_BY_TRIAL`): 0.681 on average, against 0.674 for the best fixed side, 80, and 0.668 for 64;
* light sharpening undoes part of the blur of enlarging and is worth 0.005;
* libwebp's method 4 beats 6 here: 6 saves bytes, but more likeness than bytes.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageFilter

from snapseek.images.resize import fit_side

MAX_PREVIEW_BYTES = 500
"""The whole file, RIFF header included."""

_ENOUGH_BYTES = 488
"""A preview that fits is not searched further once it is this long."""

_AIM_BYTES = 492

_WORK_SIDE = 256
_TRIAL_SIDE = 64
_TRIAL_QUALITY = 30
_SIDE_BY_TRIAL = ((207, 144), (288, 128), (402, 112), (474, 96), (540, 80))
_LAST_SIDES = (64, 48, 32, 16)
_METHOD = 4
_SHARPEN = ImageFilter.UnsharpMask(radius=0.7, percent=60, threshold=0)
_BEST_QUALITY = 100

# How long a preview becomes, fitted on the demo pictures: bytes ~ side ** 1.14 * (quality + 4) ** 0.43,
# and 1.16 times that because the trial is not sharpened.
_SIDE_POWER, _QUALITY_POWER, _QUALITY_SHIFT, _SHARPENED = 1.14, 0.43, 4.0, 1.16


@dataclass(frozen=True, slots=True)
class Preview:
    """A WebP file of at most MAX_PREVIEW_BYTES, and the picture's mean colour as "#rrggbb"."""

    data: bytes
    color: str


def make_preview(image: Image.Image) -> Preview:
    """The preview of an RGB picture of any size and shape; it is never larger than the picture itself."""
    work = image.reduce(max(1, max(image.size) // _WORK_SIDE))
    return Preview(_best_webp(work), mean_color(work))


def mean_color(image: Image.Image) -> str:
    """The plain mean of an RGB picture's stored values as "#rrggbb".

    Not the mean of light: browsers shrink pictures by their stored values too, so this is the colour that the
    preview has from far away, and nothing flashes when the one replaces the other.
    """
    red, green, blue = image.resize((1, 1), Image.Resampling.BOX).tobytes()
    return f"#{red:02x}{green:02x}{blue:02x}"


def _best_webp(work: Image.Image) -> bytes:
    trial = fit_side(work, _TRIAL_SIDE, Image.Resampling.HAMMING)
    trial_bytes = len(_webp(trial, _TRIAL_QUALITY))
    for side in _sides(trial_bytes):
        small = fit_side(work, side).filter(_SHARPEN)
        if data := _largest_fitting(small, _first_quality(trial_bytes, side)):
            return data
    raise AssertionError("16 x 16 pixels at quality 0 take less than 300 bytes")


def _sides(trial_bytes: int) -> Iterator[int]:
    """The long sides to try: first the best guess, then smaller ones for pictures that are all noise."""
    first = next((side for bound, side in _SIDE_BY_TRIAL if trial_bytes <= bound), _LAST_SIDES[0])
    yield first
    yield from (side for side in _LAST_SIDES if side < first)


def _first_quality(trial_bytes: int, side: int) -> float:
    """The quality at which a picture with this trial should take _AIM_BYTES at this side."""
    expected = trial_bytes * _SHARPENED * (side / _TRIAL_SIDE) ** _SIDE_POWER
    return _quality_for_aim(_TRIAL_QUALITY, expected)


def _quality_for_aim(quality: float, size_bytes: float) -> float:
    """The quality that should give _AIM_BYTES when `quality` gives `size_bytes`."""
    growth: float = (_AIM_BYTES / size_bytes) ** (1 / _QUALITY_POWER)
    return (quality + _QUALITY_SHIFT) * growth - _QUALITY_SHIFT


def _largest_fitting(small: Image.Image, guess: float) -> bytes | None:
    """The WebP of the highest quality that fits, or nearly that; None when not even quality 0 fits.

    Each try narrows the range and says where to look next; two or three do.
    """
    fits: bytes | None = None
    low, high = -1, _BEST_QUALITY + 1
    while high - low > 1 and len(fits or b"") < _ENOUGH_BYTES:
        quality = round(min(max(guess, low + 1), high - 1))
        data = _webp(small, quality)
        if len(data) <= MAX_PREVIEW_BYTES:
            fits, low = data, quality
        else:
            high = quality
        guess = _quality_for_aim(quality, len(data))
    return fits


def _webp(small: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    small.save(target, "WEBP", quality=quality, method=_METHOD)
    return target.getvalue()
