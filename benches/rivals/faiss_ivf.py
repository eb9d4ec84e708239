"""FAISS: inverted lists of 4-bit product codes, refined from 8-bit scalars."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.rivals.rival import Point, VectorSet

FILE = "index.faiss"
LISTS = 2048
TRAIN_ROWS = 60 * LISTS
PROBES = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
SHORTLISTS = (10, 30, 100)  # times k


class FaissIvf:
    """`IVF2048,<codes>,Refine(SQ8)` by inner product; the name says its bytes a vector at 512 dimensions."""

    distribution = "faiss-cpu"
    points = tuple(
        Point(f"nprobe {probes}, refine {shortlist}k", {"nprobe": probes, "k_factor": shortlist})
        for shortlist in SHORTLISTS
        for probes in PROBES
    )

    def __init__(self, name: str, codes: str):
        self.name = name
        self.factory = f"IVF{LISTS},{codes},Refine(SQ8)"
        self.about = self.factory

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        import faiss

        faiss.omp_set_num_threads(threads)
        index = faiss.index_factory(vectors.dim, self.factory, faiss.METRIC_INNER_PRODUCT)
        index.train(vectors.sample(TRAIN_ROWS))
        for _, rows in vectors.blocks():
            index.add(rows)
        faiss.write_index(index, str(folder / FILE))

    def open(self, folder: Path) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(str(folder / FILE))
        self.parameters = {point.label: _parameters(point) for point in self.points}

    def search(self, query: NDArray[np.float32], k: int, point: Point) -> NDArray[np.integer]:
        _, rows = self.index.search(query[None], k, params=self.parameters[point.label])
        return rows[0]


def _parameters(point: Point):
    import faiss

    probing = faiss.SearchParametersIVF(nprobe=int(point.settings["nprobe"]))
    return faiss.IndexRefineSearchParameters(k_factor=point.settings["k_factor"], base_index_params=probing)
