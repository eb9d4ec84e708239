"""SVS without LVQ: a Vamana graph over float16 vectors, which runs on every CPU."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.rivals.rival import Point, VectorSet
from benches.rivals.svs_vamana import ALPHA, DEGREE, WINDOW, WINDOWS


class SvsFloat16:
    """`Vamana` with 2 bytes a dimension."""

    name = "svs-float16"
    distribution = "scalable-vs"
    about = f"Vamana, degree {DEGREE}, window {WINDOW}, float16"
    points = tuple(Point(f"window {window}", {"window": window}) for window in WINDOWS)

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        import svs

        parameters = svs.VamanaBuildParameters(alpha=ALPHA, graph_max_degree=DEGREE, window_size=WINDOW)
        rows = np.ascontiguousarray(vectors.base)
        index = svs.Vamana.build(parameters, rows, svs.DistanceType.MIP, num_threads=threads)
        index.save(*(str(folder / name) for name in ("config", "graph", "data")))

    def open(self, folder: Path) -> None:
        import svs

        config, graph, data = (str(folder / name) for name in ("config", "graph", "data"))
        loader = svs.VectorDataLoader(data, svs.DataType.float16)
        self.index = svs.Vamana(
            config, svs.GraphLoader(graph), loader, distance=svs.DistanceType.MIP, num_threads=1
        )

    def search(self, query: NDArray[np.float32], k: int, point: Point) -> NDArray[np.integer]:
        self.index.search_window_size = int(point.settings["window"])
        rows, _ = self.index.search(query[None], k)
        return rows[0].astype(np.int64)
