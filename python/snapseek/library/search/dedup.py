"""Near-duplicates grouped under the best ranked of them.

Pictures of one subject, such as two castles, may have nearly the same vector. So a group needs a second
opinion: the pixels of the previews must correlate, and the aspects must be alike.
docs/decisions/duplicates.md has the figures.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MIN_COSINE = 0.96
"""Pictures of at least this cosine are near-duplicates."""

MIN_CORRELATION = 0.75
"""Of the brightness of two previews; 95 of 100 pictures and their crops by 8 % correlate more."""

MAX_ASPECT_CHANGE = 1.25
"""The ratio of two aspects, width by height: a crop changes them, another format more."""

_SIDE_PX = 16
_BLOCK_ROWS = 16
_SINGLE_THREADED_PRODUCTS = 1 << 18
"""Multiplications up to which OpenBLAS stays in one thread (GEMM_MULTITHREAD_THRESHOLD of its build)."""


@dataclass(frozen=True)
class DuplicateGroup:
    """The rank of a picture that is shown, and the later ranks of its near-duplicates."""

    first: int
    similar: tuple[int, ...]


def duplicate_groups(
    vectors: NDArray[np.float32],
    min_cosine: float = MIN_COSINE,
    confirm: Callable[[int, int], bool] | None = None,
) -> list[DuplicateGroup]:
    """Group the near-duplicates of a ranking, greedily from the best rank on.

    Each row joins the group of the first shown row with a cosine of at least `min_cosine`; without one it is
    shown itself. So the groups of the first ranks do not depend on how many ranks follow.

    Parameters
    ----------
    vectors
        (n, dim) float32 unit rows, best first.
    min_cosine
        The smallest cosine of near-duplicates.
    confirm
        A second opinion on two ranks of that cosine; None confirms all.

    Returns
    -------
    list of DuplicateGroup
        By rising rank; every rank is in one group.
    """
    count = len(vectors)
    near = np.zeros((count, count), np.bool_)
    for start in range(0, count, _BLOCK_ROWS):
        near[start : start + _BLOCK_ROWS, start:] = (
            products(vectors[start : start + _BLOCK_ROWS], vectors[start:]) >= min_cosine
        )
    near = np.triu(near, 1)
    leader = np.full(count, -1, np.int64)
    similar: dict[int, tuple[int, ...]] = {}
    for rank in np.flatnonzero(near.any(axis=1)).tolist():  # few rows are near to a later one
        if leader[rank] < 0:
            followers = np.flatnonzero(near[rank] & (leader < 0))
            if confirm is not None:
                confirmed = [follower for follower in followers.tolist() if confirm(rank, follower)]
                followers = np.array(confirmed, np.int64)
            if not len(followers):
                continue
            leader[followers] = rank
            similar[rank] = tuple(followers.tolist())
    return [DuplicateGroup(rank, similar.get(rank, ())) for rank in np.flatnonzero(leader < 0).tolist()]


class PreviewComparison:
    """Compares pictures by their previews and sizes; each preview is decoded once.

    Parameters
    ----------
    read
        Returns the preview, width and height of a rank; an empty preview or a size of 0 if it is unknown.
    """

    def __init__(self, read: Callable[[int], tuple[bytes, int, int]]) -> None:
        self._read = read
        self._known: dict[int, tuple[NDArray[np.float32] | None, float | None]] = {}

    def are_alike(self, first: int, second: int) -> bool:
        """Return whether two ranks may be near-duplicates: what is unknown does not speak against it."""
        (pixels, aspect), (other_pixels, other_aspect) = self._of(first), self._of(second)
        if aspect and other_aspect and abs(math.log(aspect / other_aspect)) > math.log(MAX_ASPECT_CHANGE):
            return False
        return pixels is None or other_pixels is None or float(pixels @ other_pixels) >= MIN_CORRELATION

    def _of(self, rank: int) -> tuple[NDArray[np.float32] | None, float | None]:
        if rank not in self._known:
            preview, width, height = self._read(rank)
            aspect = width / height if width > 0 and height > 0 else None
            self._known[rank] = (_pixels(preview), aspect)
        return self._known[rank]


def _pixels(preview: bytes) -> NDArray[np.float32] | None:
    """Return the brightness of a preview in 16 x 16 fields, (256,), mean 0, length 1; None without it."""
    try:
        with Image.open(io.BytesIO(preview), formats=["WEBP"]) as image:
            grey = image.convert("L").resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    values = np.asarray(grey, np.float32).ravel()
    values = values - values.mean()
    length = float(np.linalg.norm(values))
    return values / length if length > _SIDE_PX else None  # one plain colour has no pattern


def products(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the products, (m, n), of the rows of `left`, (m, dim) with m up to 16, and `right`, (n, dim).

    The blocks are so small that OpenBLAS uses a single thread for them. In a server its threads wait for one
    another, which was measured to cost five times the work itself.
    """
    count, dim = right.shape
    width = max(1, _SINGLE_THREADED_PRODUCTS // (_BLOCK_ROWS * max(1, dim)))
    whole = count - count % width
    blocks = left @ right[:whole].reshape(-1, width, dim).swapaxes(1, 2)
    first = blocks.swapaxes(0, 1).reshape(len(left), whole)
    return np.asarray(np.concatenate([first, left @ right[whole:].T], axis=1), np.float32)
