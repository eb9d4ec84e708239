"""USearch: a graph over 8-bit vectors."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.rivals.rival import Point, VectorSet

FILE = "index.usearch"
EXPANSIONS = (16, 32, 64, 128, 256, 512, 1024, 2048)


class UsearchGraph:
    """An HNSW graph of connectivity 16 by cosine, int8."""

    name = "usearch"
    distribution = "usearch"
    about = "HNSW, connectivity 16, expansion_add 128, i8, cos"
    points = tuple(Point(f"expansion {expansion}", {"expansion": expansion}) for expansion in EXPANSIONS)

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        from usearch.index import Index

        index = Index(
            ndim=vectors.dim,
            metric="cos",
            dtype="i8",
            connectivity=16,
            expansion_add=128,
            expansion_search=64,
        )
        for start, rows in vectors.blocks():
            index.add(np.arange(start, start + len(rows)), rows, threads=threads)
        index.save(str(folder / FILE))

    def open(self, folder: Path) -> None:
        from usearch.index import Index

        self.index = Index.restore(str(folder / FILE))

    def search(self, query: NDArray[np.float32], k: int, point: Point) -> NDArray[np.integer]:
        self.index.expansion_search = int(point.settings["expansion"])
        return self.index.search(query, k, threads=1).keys
