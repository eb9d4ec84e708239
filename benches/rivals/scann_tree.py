"""ScaNN: a tree of 2,000 leaves, 4-bit codes of two dimensions, reordered by the float vectors."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.rivals.rival import Point, VectorSet

LEAVES = 2000
TRAIN_ROWS = 250_000
ANISOTROPY = 0.2
PROBES = (20, 30, 40, 60, 80, 100, 150, 200, 300, 400, 600)
SHORTLISTS = (100, 200, 400)


class ScannTree:
    """`score_ah(2)` and `reorder`: 128 bytes of codes and 2,048 of float32 a vector at 512 dimensions."""

    name = "scann-2176B"
    distribution = "scann"
    about = f"tree({LEAVES}), score_ah(2, anisotropic threshold {ANISOTROPY}), reorder"
    points = tuple(
        Point(f"leaves {leaves}, reorder {shortlist}", {"leaves": leaves, "reorder": shortlist})
        for shortlist in SHORTLISTS
        for leaves in PROBES
    )

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        from scann import scann_ops_pybind

        rows = vectors.base.astype(np.float32)
        builder = scann_ops_pybind.builder(rows, 10, "dot_product").set_n_training_threads(threads)
        builder = builder.tree(LEAVES, 100, training_sample_size=min(TRAIN_ROWS, len(rows)))
        builder = builder.score_ah(2, anisotropic_quantization_threshold=ANISOTROPY).reorder(max(SHORTLISTS))
        builder.build().serialize(str(folder))

    def open(self, folder: Path) -> None:
        from scann import scann_ops_pybind

        self.index = scann_ops_pybind.load_searcher(str(folder))

    def search(self, query: NDArray[np.float32], k: int, point: Point) -> NDArray[np.integer]:
        rows, _ = self.index.search(
            query,
            final_num_neighbors=k,
            pre_reorder_num_neighbors=int(point.settings["reorder"]),
            leaves_to_search=int(point.settings["leaves"]),
        )
        return rows
