"""FAISS: a graph over 8-bit scalars."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.rivals.rival import Point, VectorSet

FILE = "index.faiss"
CONSTRUCTION = 200
TRAIN_ROWS = 50_000
EXPANSIONS = (10, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024, 2048)


class FaissGraph:
    """`HNSW16,SQ8` by inner product: the graph that runs on every CPU, with codes of a byte a dimension."""

    name = "faiss-hnsw"
    distribution = "faiss-cpu"
    about = f"HNSW16_SQ8, efConstruction {CONSTRUCTION}"
    points = tuple(Point(f"ef {expansion}", {"ef": expansion}) for expansion in EXPANSIONS)

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        import faiss

        faiss.omp_set_num_threads(threads)
        index = faiss.index_factory(vectors.dim, "HNSW16_SQ8", faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = CONSTRUCTION
        index.train(vectors.sample(TRAIN_ROWS))
        for _, rows in vectors.blocks():
            index.add(rows)
        faiss.write_index(index, str(folder / FILE))

    def open(self, folder: Path) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(str(folder / FILE))
        self.parameters = {
            point.label: faiss.SearchParametersHNSW(efSearch=int(point.settings["ef"]))
            for point in self.points
        }

    def search(self, query: NDArray[np.float32], k: int, point: Point) -> NDArray[np.integer]:
        _, rows = self.index.search(query[None], k, params=self.parameters[point.label])
        return rows[0]
