"""hnswlib: a graph over the float vectors themselves."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.rivals.rival import Point, VectorSet

FILE = "index.hnsw"
EXPANSIONS = (16, 32, 64, 128, 256, 512, 1024, 2048)


class HnswlibGraph:
    """An HNSW graph of M = 16 by inner product, float32."""

    name = "hnswlib"
    distribution = "hnswlib"
    about = "HNSW, M 16, ef_construction 200, float32, ip"
    points = tuple(Point(f"ef {expansion}", {"ef": expansion}) for expansion in EXPANSIONS)

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        import hnswlib

        index = hnswlib.Index(space="ip", dim=vectors.dim)
        index.init_index(max_elements=len(vectors.base), ef_construction=200, M=16, random_seed=0)
        for start, rows in vectors.blocks():
            index.add_items(rows, np.arange(start, start + len(rows)), num_threads=threads)
        index.save_index(str(folder / FILE))
        (folder / "dim").write_text(str(vectors.dim), encoding="ascii")

    def open(self, folder: Path) -> None:
        import hnswlib

        dim = int((folder / "dim").read_text(encoding="ascii"))
        self.index = hnswlib.Index(space="ip", dim=dim)
        self.index.load_index(str(folder / FILE))
        self.index.set_num_threads(1)

    def search(self, query: NDArray[np.float32], k: int, point: Point) -> NDArray[np.integer]:
        self.index.set_ef(int(point.settings["ef"]))
        rows, _ = self.index.knn_query(query, k, num_threads=1)
        return rows[0]
