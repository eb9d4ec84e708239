"""What a rival has to offer to be measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 50_000


@dataclass(frozen=True)
class VectorSet:
    """What an index is built from: base (n, dim) float16, mapped; train_queries (t, dim) float32."""

    base: NDArray[np.float16]
    train_queries: NDArray[np.float32]

    @property
    def dim(self) -> int:
        return int(self.base.shape[1])

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(first row, (up to 50000, dim) float32) in order, so that the whole set is never in float32."""
        for start in range(0, len(self.base), BLOCK_ROWS):
            yield start, self.base[start : start + BLOCK_ROWS].astype(np.float32)

    def sample(self, rows: int, seed: int = 0) -> NDArray[np.float32]:
        """(min(rows, n), dim) float32, drawn without repetition, in row order."""
        drawn = np.random.default_rng(seed).choice(len(self.base), min(rows, len(self.base)), replace=False)
        return self.base[np.sort(drawn)].astype(np.float32)


@dataclass(frozen=True)
class Point:
    """One setting of a search, from fast to thorough along a rival's list."""

    label: str
    settings: Mapping[str, float] = field(default_factory=dict)


class Rival(Protocol):
    """An index on disk in a folder of its own: built in one process, opened and searched in another.

    `distribution` is the package on the index; `about` says what is built, in the words of its makers.
    """

    name: str
    distribution: str
    about: str
    points: tuple[Point, ...]

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        """Trains, adds every row and writes the index into `folder`."""

    def open(self, folder: Path) -> None:
        """Makes ready to search on one thread."""

    def search(self, query: NDArray[np.float32], k: int, point: Point) -> NDArray[np.integer]:
        """query (dim,) float32 -> the rows of its k best, best first."""


def version_of(rival: Rival) -> str | None:
    """The installed version; None when the package is not there."""
    try:
        return metadata.version(rival.distribution)
    except metadata.PackageNotFoundError:
        return None
