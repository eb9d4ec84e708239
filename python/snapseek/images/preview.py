"""Make previews: WebP pictures of at most 500 bytes, and a mean color.

A preview trades resolution against compression quality. The settings were chosen on the demo pictures by the
structural similarity (see tests/support/structural_similarity.py) to the original at 256 pixels:

* The side depends on the picture: 144 pixels for a smooth one, 64 for a detailed one. The size of a trial
  encoding decides (`_SIDE_BY_TRIAL`): 0.681 on average, against 0.674 for the best fixed side, 80, and 0.668
  for 64.
* Light sharpening compensates part of the blur of upscaling, and gains 0.005.
* Method 4 of libwebp beats method 6 here: 6 saves bytes, but loses more similarity than these bytes buy.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageFilter

from snapseek.images.resize import fit_side

MAX_PREVIEW_BYTES = 500
"""Maximum size of the file, with its RIFF header."""

_GOOD_BYTES = 488
"""The search for a higher quality stops at a preview of this size."""

_TARGET_BYTES = 492

_WORK_SIDE = 256
_TRIAL_SIDE = 64
_TRIAL_QUALITY = 30
_SIDE_BY_TRIAL = ((207, 144), (288, 128), (402, 112), (474, 96), (540, 80))
_LAST_SIDES = (64, 48, 32, 16)
_METHOD = 4
_SHARPEN = ImageFilter.UnsharpMask(radius=0.7, percent=60, threshold=0)
_BEST_QUALITY = 100

# Size of a preview, fitted on the demo pictures: bytes ~ side ** 1.14 * (quality + 4) ** 0.43, and 1.16
# times that because the trial is not sharpened.
_SIDE_POWER, _QUALITY_POWER, _QUALITY_SHIFT, _SHARPENED = 1.14, 0.43, 4.0, 1.16


@dataclass(frozen=True, slots=True)
class Preview:
    """A WebP file of at most MAX_PREVIEW_BYTES, and the mean color as "#rrggbb"."""

    data: bytes
    color: str


def make_preview(image: Image.Image) -> Preview:
    """Return the preview of an RGB picture of any size; it is never enlarged."""
    work = image.reduce(max(1, max(image.size) // _WORK_SIDE))
    return Preview(_best_webp(work), mean_color(work))


def mean_color(image: Image.Image) -> str:
    """Return the mean of the stored values of an RGB picture as "#rrggbb".

    It is not the mean in linear light: browsers downscale stored values too, so that the preview replaces a
    tile of this color without a flash.
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
    """Yield the long sides to try: the best estimate, then smaller ones for very noisy pictures."""
    first = next((side for bound, side in _SIDE_BY_TRIAL if trial_bytes <= bound), _LAST_SIDES[0])
    yield first
    yield from (side for side in _LAST_SIDES if side < first)


def _first_quality(trial_bytes: int, side: int) -> float:
    """Return the quality that should give _TARGET_BYTES at this side, by the trial."""
    expected = trial_bytes * _SHARPENED * (side / _TRIAL_SIDE) ** _SIDE_POWER
    return _quality_for_target(_TRIAL_QUALITY, expected)


def _quality_for_target(quality: float, size_bytes: float) -> float:
    """Return the quality that should give _TARGET_BYTES when `quality` gives `size_bytes`."""
    growth: float = (_TARGET_BYTES / size_bytes) ** (1 / _QUALITY_POWER)
    return (quality + _QUALITY_SHIFT) * growth - _QUALITY_SHIFT


def _largest_fitting(small: Image.Image, guess: float) -> bytes | None:
    """Return the WebP of nearly the highest quality that fits; None if not even quality 0 fits.

    Each encoding narrows the range and refines the estimate; two or three are enough.
    """
    fits: bytes | None = None
    low, high = -1, _BEST_QUALITY + 1
    while high - low > 1 and len(fits or b"") < _GOOD_BYTES:
        quality = round(min(max(guess, low + 1), high - 1))
        data = _webp(small, quality)
        if len(data) <= MAX_PREVIEW_BYTES:
            fits, low = data, quality
        else:
            high = quality
        guess = _quality_for_target(quality, len(data))
    return fits


def _webp(small: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    small.save(target, "WEBP", quality=quality, method=_METHOD)
    return target.getvalue()
