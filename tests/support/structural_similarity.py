"""Structural similarity (SSIM) of a preview and its picture, in NumPy.

The picture is shrunk to 256 pixels on its long side, the preview is enlarged to that size (bicubic, as
browsers do), and the grey values (ITU-R 601 luma) of both are compared in Gaussian windows of 11 pixels with
sigma 1.5: Wang et al. 2004, K1 = 0.01, K2 = 0.03, mean over the windows that lie wholly inside.
"""

import io

import numpy as np
from PIL import Image

COMPARED_SIDE = 256
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def likeness(original: Image.Image, preview: bytes) -> float:
    """Mean structural similarity, 1.0 for equal pictures."""
    scale = COMPARED_SIDE / max(original.size)
    size = (max(1, round(original.width * scale)), max(1, round(original.height * scale)))
    shown = open_preview(preview).resize(size, Image.Resampling.BICUBIC)
    return mean_ssim(_luma(original.resize(size, Image.Resampling.LANCZOS)), _luma(shown))


def open_preview(preview: bytes) -> Image.Image:
    with Image.open(io.BytesIO(preview)) as picture:
        return picture.convert("RGB")


def mean_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean SSIM of two (h, w) float64 arrays of 0..255, both sides at least 11."""
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a = _blur(a * a) - mean_a**2
    variance_b = _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    brightness = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_a + variance_b + _C2)
    return float((brightness * structure).mean())


def _luma(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"), dtype=np.float64)


def _blur(values: np.ndarray) -> np.ndarray:
    """Gaussian mean of every window wholly inside: (h, w) -> (h - 10, w - 10)."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    rows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW, axis=0) @ weights
    return np.lib.stride_tricks.sliding_window_view(rows, _WINDOW, axis=1) @ weights
