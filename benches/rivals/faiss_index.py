"""FAISS: an index that its factory makes, in one file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.rivals.rival import Point, VectorSet

FILE = "index.faiss"


class FaissIndex:
    """An index by inner product; subclasses say which, and turn a point into parameters of a search."""

    distribution = "faiss-cpu"
    name: str
    factory: str
    train_rows: int
    points: tuple[Point, ...]

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        import faiss

        faiss.omp_set_num_threads(threads)
        index = faiss.index_factory(vectors.dim, self.factory, faiss.METRIC_INNER_PRODUCT)
        self.configure(index)
        index.train(vectors.sample(self.train_rows))
        for _, rows in vectors.blocks():
            index.add(rows)
        faiss.write_index(index, str(folder / FILE))

    def configure(self, index: Any) -> None:
        """Set what the factory does not."""

    def parameters_of(self, point: Point) -> Any:
        """Return the parameters of a search."""
        raise NotImplementedError

    def open(self, folder: Path) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(str(folder / FILE))
        self.parameters = {point.label: self.parameters_of(point) for point in self.points}

    def search(self, query: NDArray[np.float32], k: int, point: Point) -> NDArray[np.integer]:
        _, rows = self.index.search(query[None], k, params=self.parameters[point.label])
        return rows[0]
