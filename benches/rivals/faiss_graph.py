"""FAISS: a graph over 8-bit scalars."""

from typing import Any

from benches.rivals.faiss_index import FaissIndex
from benches.rivals.rival import Point

CONSTRUCTION = 200
EXPANSIONS = (10, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024, 2048)


class FaissGraph(FaissIndex):
    """`HNSW16,SQ8` by inner product: the graph that runs on every CPU, with codes of a byte a dimension."""

    name = "faiss-hnsw"
    factory = "HNSW16_SQ8"
    about = f"{factory}, efConstruction {CONSTRUCTION}"
    train_rows = 50_000
    points = tuple(Point(f"ef {expansion}", {"ef": expansion}) for expansion in EXPANSIONS)

    def configure(self, index: Any) -> None:
        index.hnsw.efConstruction = CONSTRUCTION

    def parameters_of(self, point: Point) -> Any:
        import faiss

        return faiss.SearchParametersHNSW(efSearch=int(point.settings["ef"]))
