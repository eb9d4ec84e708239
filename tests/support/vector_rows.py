"""Rows for the tests of vectors."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.support import reference

DIM = 24
LISTS: dict[str, Any] = {"nlist": 20}


def unit_rows(n: int, dim: int = DIM, seed: int = 0) -> reference.F32:
    """Random unit rows, (n, dim) float32."""
    rows = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    unit: reference.F32 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())
