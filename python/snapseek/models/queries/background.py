"""How well ordinary queries fit ordinary pictures of a model: the measure of what is relevant.

Cosines of different queries cannot be compared: some words lie near every picture, some near none. So a score
counts from the mean score of its query on a fixed set of foreign pictures, the background. Of all pairs of a
sample query and a background picture, one in a thousand scores higher above that mean than the threshold.
Both depend on the model alone, so no picture of a library moves them. docs/decisions/relevance.md compares
other rules.
"""

import base64
import binascii
import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from snapseek.atomic_file import atomic_file, first_bytes
from snapseek.models.encoder import Encoder
from snapseek.user_dirs import cache_dir

Origin = Literal["demo pictures", "library"]

SAMPLE_QUERIES = 512
FILE_NAME = "background.json"
_QUANTILE = 0.999
_BEGIN = b'{"edition":'
_EDITION = 1  # incremented when the pictures, the queries or the quantile change


@dataclass(frozen=True)
class Background:
    """The mean of the background's vectors, and from which score above its mean a result is relevant.

    Attributes
    ----------
    mean
        (dim,) float32, the mean of the unit vectors of the background's pictures.
    threshold
        The score above the mean of a query from which on a picture is relevant to it.
    origin
        Which pictures: those of the package, or a random sample of the library.
    pictures
        (n, dim) float32, the unit vectors of the background's pictures, rounded to 8 bits where they were
        stored; None where an earlier version stored the rest.
    """

    mean: NDArray[np.float32]
    threshold: float
    origin: Origin
    pictures: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, pictures: NDArray[np.float32], queries: NDArray[np.float32], origin: Origin) -> Self:
        """Measure pictures (n, dim) with sample queries (q, dim), both unit rows."""
        mean = pictures.mean(0, dtype=np.float64).astype(np.float32)
        above = queries @ (pictures - mean).T
        return cls(mean, float(np.quantile(above, _QUANTILE)), origin, pictures)

    def min_score(self, query: NDArray[np.float32]) -> float:
        """Return the lowest relevant score of a query vector, (dim,)."""
        return float(self.mean @ query) + self.threshold


def load_background(encoder: Encoder) -> Background | None:
    """Return the background of a model: the one in its folder, or that of the user's cache; None without."""
    for path in (encoder.files.root / FILE_NAME, _cached(encoder)):
        found = _read(path, encoder)
        if found is not None:
            return found
    return None


def store_background(encoder: Encoder, background: Background, path: Path | None = None) -> None:
    """Write the background of a model to the user's cache, or to a path. A cache that refuses is ignored."""
    content = {
        "edition": _EDITION,
        "fingerprint": encoder.space,
        "origin": background.origin,
        "threshold": round(background.threshold, 6),
        "mean": [round(number, 6) for number in background.mean.tolist()],
    }
    if background.pictures is not None:
        content["pictures"] = _encoded(background.pictures)
    target = path or _cached(encoder)
    with contextlib.suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(target, may_replace=_is_background, sync=False) as file:
            file.write(json.dumps(content).encode() + b"\n")


def _cached(encoder: Encoder) -> Path:
    return cache_dir() / "backgrounds" / f"{encoder.space[:32]}-{_EDITION}.json"


def _is_background(path: Path) -> bool:
    return first_bytes(path, len(_BEGIN)) == _BEGIN


def _read(path: Path, encoder: Encoder) -> Background | None:
    """Return a stored background; None for one that is missing, damaged or of another model."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    found: dict[str, Any] = content if isinstance(content, dict) else {}
    if (found.get("edition"), found.get("fingerprint")) != (_EDITION, encoder.space):
        return None
    try:
        mean, threshold = np.array(found.get("mean"), np.float32), float(found["threshold"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    is_valid = mean.shape == (encoder.dim,) and np.isfinite(mean).all() and np.isfinite(threshold)
    if not is_valid:
        return None
    return Background(mean, threshold, "demo pictures", _decoded(found.get("pictures"), encoder.dim))


def _encoded(rows: NDArray[np.float32]) -> str:
    """Return unit rows as 8 bit numbers, the largest of each row 127, in base64."""
    largest = np.abs(rows).max(1, keepdims=True)
    return base64.b64encode(np.rint(rows * (127 / largest)).astype(np.int8).tobytes()).decode()


def _decoded(text: object, dim: int) -> NDArray[np.float32] | None:
    """Return the unit rows of `_encoded`; None for anything else."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return None
    if not data or len(data) % dim:
        return None
    rows = np.frombuffer(data, np.int8).reshape(-1, dim).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths if (lengths > 0).all() else None
