"""The vector indexes that `peers.py` sets beside ours, one file each, all with the face of `rival.Rival`."""

from rivals.faiss_ivf import FaissIvf
from rivals.hnswlib_graph import HnswlibGraph
from rivals.ours import Ours
from rivals.rival import Point, Rival, VectorSet
from rivals.scann_tree import ScannTree
from rivals.turbovec_flat import TurbovecFlat
from rivals.usearch_graph import UsearchGraph

RIVALS: dict[str, Rival] = {
    rival.name: rival
    for rival in (
        Ours("ours"),
        Ours("ours-350B", bytes_per_vector=350),
        Ours("ours-100B", bytes_per_vector=100),
        FaissIvf("faiss-588B", "PQ128x4fs"),
        FaissIvf("faiss-654B", "PQ256x4fs"),
        ScannTree(),
        UsearchGraph(),
        TurbovecFlat(),
        HnswlibGraph(),
    )
}

__all__ = ["RIVALS", "Point", "Rival", "VectorSet"]
