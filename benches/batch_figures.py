"""Compare batches of queries with FAISS: `python -m benches.batch_figures --set DIR --out DIR`.

The indexes are those that `benches.peers` left in --out, and both use the same number of threads. Each of our
efforts is compared with FAISS's fastest setting whose recall is at most 0.002 lower. With --processor-time a
query counts as the processor time of all threads: for a machine that is shared.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.peers import index_folder, load_truth, processor, rows_of
from benches.rivals.faiss_index import FILE as FAISS_FILE
from benches.rivals.faiss_ivf import PROBES, FaissIvf
from benches.rivals.ours import FILE as OUR_FILE
from snapseek import VectorIndex

K = 10
ROUNDS = 3
EFFORTS = (0.90, 0.95, 0.98, 0.99)
FACTORS = (30, 100)
RECALL_MARGIN = 0.002

Queries = NDArray[np.float32]
Ask = Callable[[Queries], NDArray[np.int64]]


@dataclass(frozen=True)
class Batch:
    """What a batch cost at one setting."""

    label: str
    recall: float
    us_per_query: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Batches of queries: ours and FAISS.")
    parser.add_argument("--set", type=Path, required=True, help="folder written by clip_like.py")
    parser.add_argument("--out", type=Path, required=True, help="folder that benches.peers wrote")
    parser.add_argument("--n", type=int, help="use only the first n vectors (default: all)")
    parser.add_argument("--threads", type=int, default=2, help="of FAISS; ours takes all cores")
    parser.add_argument("--processor-time", action="store_true", help="for a machine that is shared")
    given = parser.parse_args()
    n = rows_of(given.set, given.n)
    truth = load_truth(given.set, n, given.out)["text"]
    queries = np.load(given.set / "text.npy")
    clock = time.process_time if given.processor_time else time.perf_counter
    what = "processor" if given.processor_time else "wall"
    print(f"{processor()}, {n} rows, batches of {len(queries)}, {given.threads} threads, {what} time")
    ours = measured_ours(given, n, queries, truth, clock)
    theirs = measured_faiss(given, n, queries, truth, clock)
    print("ours | recall@10 | us a query | FAISS | recall@10 | us a query | ours / its queries a second")
    for batch in ours:
        reached = [other for other in theirs if other.recall >= batch.recall - RECALL_MARGIN]
        best = min(reached, key=lambda other: other.us_per_query, default=None)
        other = (
            "not reached | - | - | -"
            if best is None
            else f"{best.label} | {best.recall:.4f} | {best.us_per_query:.1f} | "
            f"{best.us_per_query / batch.us_per_query:.2f}"
        )
        print(f"{batch.label} | {batch.recall:.4f} | {batch.us_per_query:.1f} | {other}")


def measured_ours(
    given: argparse.Namespace,
    n: int,
    queries: Queries,
    truth: NDArray[np.int64],
    clock: Callable[[], float],
) -> list[Batch]:
    index = VectorIndex.open(index_folder(given.out, "ours", n) / OUR_FILE, load="ram")

    def asking(effort: float) -> Ask:
        return lambda batch: index.search(batch, K, effort=effort)[0]

    return [measure(f"effort {effort}", asking(effort), queries, truth, clock) for effort in EFFORTS]


def measured_faiss(
    given: argparse.Namespace,
    n: int,
    queries: Queries,
    truth: NDArray[np.int64],
    clock: Callable[[], float],
) -> list[Batch]:
    import faiss

    rival = FaissIvf("faiss-654B", "PQ256x4fs")
    faiss.omp_set_num_threads(given.threads)
    index = faiss.read_index(str(index_folder(given.out, rival.name, n) / FAISS_FILE))

    def asking(probes: int, factor: int) -> Ask:
        settings = faiss.IndexRefineSearchParameters(
            k_factor=factor, base_index_params=faiss.SearchParametersIVF(nprobe=probes)
        )
        return lambda batch: index.search(batch, K, params=settings)[1]

    points = [(probes, factor) for factor in FACTORS for probes in PROBES if probes >= 24]
    return [
        measure(f"nprobe {probes}, refine {factor}k", asking(probes, factor), queries, truth, clock)
        for probes, factor in points
    ]


def measure(
    label: str, ask: Ask, queries: Queries, truth: NDArray[np.int64], clock: Callable[[], float]
) -> Batch:
    """The fastest of some rounds counts."""
    taken = []
    for _ in range(ROUNDS):
        start = clock()
        found = ask(queries)
        taken.append(clock() - start)
    recall = np.mean([np.isin(rows, ids).mean() for rows, ids in zip(truth, found, strict=True)])
    return Batch(label, float(recall), 1e6 * min(taken) / len(queries))


if __name__ == "__main__":
    main()
