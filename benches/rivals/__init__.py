"""The vector indexes that `peers.py` compares, one file each, all with the interface `rival.Rival`."""

from benches.rivals.faiss_graph import FaissGraph
from benches.rivals.faiss_ivf import FaissIvf
from benches.rivals.hnswlib_graph import HnswlibGraph
from benches.rivals.ours import Ours
from benches.rivals.rival import Point, Rival, VectorSet
from benches.rivals.scann_tree import ScannTree
from benches.rivals.svs_float16 import SvsFloat16
from benches.rivals.svs_vamana import SvsVamana
from benches.rivals.turbovec_flat import TurbovecFlat
from benches.rivals.usearch_graph import UsearchGraph

RIVALS: dict[str, Rival] = {
    rival.name: rival
    for rival in (
        Ours("ours"),
        Ours("ours-350B", bytes_per_vector=350),
        Ours("ours-100B", bytes_per_vector=100),
        FaissIvf("faiss-588B", "PQ128x4fs"),
        FaissIvf("faiss-654B", "PQ256x4fs"),
        ScannTree(),
        SvsVamana(),
        SvsFloat16(),
        FaissGraph(),
        UsearchGraph(),
        TurbovecFlat(),
        HnswlibGraph(),
    )
}

__all__ = ["RIVALS", "Point", "Rival", "VectorSet"]
