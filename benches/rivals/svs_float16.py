"""SVS without LVQ: a Vamana graph over float16 vectors, which runs on every CPU."""

from pathlib import Path
from typing import Any

import numpy as np

from benches.rivals.rival import VectorSet
from benches.rivals.svs_vamana import DEGREE, WINDOW, SvsVamana


class SvsFloat16(SvsVamana):
    """`Vamana` with 2 bytes a dimension."""

    name = "svs-float16"
    about = f"Vamana, degree {DEGREE}, window {WINDOW}, float16"

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        self.build_graph(np.ascontiguousarray(vectors.base), folder, threads)

    def loader(self, data: str) -> Any:
        import svs

        return svs.VectorDataLoader(data, svs.DataType.float16)
