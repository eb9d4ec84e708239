"""Directions: vectors of length 1."""

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import SnapseekError


def normalize_rows(vectors: NDArray[np.float32], otherwise: SnapseekError) -> NDArray[np.float32]:
    """(n, dim) float32, the rows scaled to length 1; raises `otherwise` where one is zero or not finite."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise otherwise
    return np.asarray(vectors / norms, np.float32)
