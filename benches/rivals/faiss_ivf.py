"""FAISS: inverted lists of 4-bit product codes, refined from 8-bit scalars."""

from typing import Any

from benches.rivals.faiss_index import FaissIndex
from benches.rivals.rival import Point

LISTS = 2048
PROBES = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
SHORTLISTS = (10, 30, 100)  # times k


class FaissIvf(FaissIndex):
    """`IVF2048,<codes>,Refine(SQ8)` by inner product; the name says its bytes a vector at 512 dimensions."""

    train_rows = 60 * LISTS
    points = tuple(
        Point(f"nprobe {probes}, refine {shortlist}k", {"nprobe": probes, "k_factor": shortlist})
        for shortlist in SHORTLISTS
        for probes in PROBES
    )

    def __init__(self, name: str, codes: str):
        self.name = name
        self.factory = f"IVF{LISTS},{codes},Refine(SQ8)"
        self.about = self.factory

    def parameters_of(self, point: Point) -> Any:
        import faiss

        probing = faiss.SearchParametersIVF(nprobe=int(point.settings["nprobe"]))
        return faiss.IndexRefineSearchParameters(
            k_factor=point.settings["k_factor"], base_index_params=probing
        )
