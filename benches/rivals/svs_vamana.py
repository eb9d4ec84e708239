"""SVS: a Vamana graph over vectors compressed by LVQ, reranked with its residuals.

LVQ is closed source and ends the process on a CPU that is not Intel's; then the report leaves it out.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.rivals.rival import Point, VectorSet

DEGREE, WINDOW, ALPHA = 32, 200, 0.95
PRIMARY_BITS, RESIDUAL_BITS = 4, 8
WINDOWS = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024)


class SvsVamana:
    """`Vamana` with LVQ4x8: 4 bits a dimension for the search, 8 more for the rerank."""

    name = "svs-lvq4x8"
    distribution = "scalable-vs"
    about = f"Vamana, degree {DEGREE}, window {WINDOW}, LVQ{PRIMARY_BITS}x{RESIDUAL_BITS}"
    points = tuple(Point(f"window {window}", {"window": window}) for window in WINDOWS)

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        import svs

        file = folder / "base.fvecs"
        svs.write_vecs(vectors.base.astype(np.float32), str(file))
        data = svs.LVQLoader(
            svs.VectorDataLoader(str(file), svs.DataType.float32, dims=vectors.dim),
            primary=PRIMARY_BITS,
            residual=RESIDUAL_BITS,
        )
        self.build_graph(data, folder, threads)
        file.unlink()

    def build_graph(self, data: Any, folder: Path, threads: int) -> None:
        """Build the graph over vectors, or over what a loader of SVS reads, and save it."""
        import svs

        parameters = svs.VamanaBuildParameters(alpha=ALPHA, graph_max_degree=DEGREE, window_size=WINDOW)
        index = svs.Vamana.build(parameters, data, svs.DistanceType.MIP, num_threads=threads)
        index.save(*(str(folder / name) for name in ("config", "graph", "data")))

    def open(self, folder: Path) -> None:
        import svs

        config, graph, data = (str(folder / name) for name in ("config", "graph", "data"))
        self.index = svs.Vamana(
            config,
            svs.GraphLoader(graph),
            self.loader(data),
            distance=svs.DistanceType.MIP,
            num_threads=1,
        )

    def loader(self, data: str) -> Any:
        """Return what reads the saved vectors."""
        import svs

        return svs.LVQLoader(data)

    def search(self, query: NDArray[np.float32], k: int, point: Point) -> NDArray[np.integer]:
        self.index.search_window_size = int(point.settings["window"])
        rows, _ = self.index.search(query[None], k)
        return rows[0].astype(np.int64)
