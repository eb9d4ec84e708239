"""Do two ways to run a model agree? The same pictures, and how far apart the answers are."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def fixed_pictures(count: int) -> list[Image.Image]:
    """The same pictures every time: soft blots of colour, none like another."""
    rng = np.random.default_rng(7)
    coarse = [rng.integers(0, 256, (4, 4, 3), np.uint8) for _ in range(count)]
    return [Image.fromarray(blots).resize((256, 256), Image.Resampling.BICUBIC) for blots in coarse]


def lowest_cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """The least agreement of two (n, dim) float32 blocks of unit rows, row by row."""
    return float((first * second).sum(axis=1).min())
