"""This project's index, through the Python face anybody has."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.rivals.rival import Point, VectorSet

FILE = "index.snap"
RECALLS = (0.80, 0.90, 0.93, 0.95, 0.955, 0.96, 0.965, 0.97, 0.98, 0.9825, 0.985, 0.9875, 0.99, 0.995, 0.998)


class Ours:
    """`VectorIndex`, trained with the sample of queries; `bytes_per_vector` bounds the file when given."""

    distribution = "snapseek"
    points = tuple(Point(f"effort {recall}", {"effort": recall}) for recall in RECALLS)

    def __init__(self, name: str, bytes_per_vector: int | None = None):
        self.name = name
        self.bytes_per_vector = bytes_per_vector
        self.about = "VectorIndex" + (
            f", memory = {bytes_per_vector} bytes a vector" if bytes_per_vector else ""
        )

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        memory = self.bytes_per_vector * len(vectors.base) if self.bytes_per_vector else None
        vector_index().build(
            vectors.base, vectors.train_queries, memory=memory, path=folder / FILE, threads=threads, seed=0
        )

    def open(self, folder: Path) -> None:
        self.index = vector_index().open(folder / FILE)

    def search(self, query: NDArray[np.float32], k: int, point: Point) -> NDArray[np.integer]:
        ids, _ = self.index.search(query[None], k, effort=point.settings["effort"])
        return ids[0]


def vector_index():
    """The class, fetched late so that the rivals can be measured without it."""
    try:
        from snapseek import VectorIndex
    except ImportError as error:
        raise ImportError(f"this snapseek has no VectorIndex ({error}): run `make install` first") from error
    return VectorIndex
