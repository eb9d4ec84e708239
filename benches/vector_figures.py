"""Measure `VectorIndex` alone: refine codes, filters, size, opening, a cold cache; recall with each time.

    python -m benches.clip_like /data/clip
    python -m benches.vector_figures --set /data/clip [--small 150000] [--out DIR]
    python -m benches.vector_figures --set /data/clip --filters-of INDEX

Builds an index of the whole set (kept in DIR for the next run), one of its first rows, and one for each tier
of the first rows; asks text queries one by one on one thread. With --filters-of only filters are measured: of
an index of the first rows that is there already, in memory, by processor time.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.clip_like import exact
from benches.peers import processor
from snapseek import VectorIndex

K = 10
QUERIES = 300
SHARES = (0.5, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.00001)
EFFORTS = (0.90, 0.95, 0.98, 0.995)
TIERS = ("int8", "int4", "tcq3", "tcq2", "none")
ROUNDS = 3

Rows = NDArray[np.int64]
Ask = Callable[[NDArray[np.float32]], Rows]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure VectorIndex by itself.")
    parser.add_argument("--set", type=Path, required=True, help="folder written by clip_like.py")
    parser.add_argument("--small", type=int, default=150_000, help="rows of the small indexes")
    parser.add_argument("--out", type=Path, default=Path("target/vectors"), help="default: %(default)s")
    parser.add_argument(
        "--filters-of", type=Path, metavar="INDEX", help="measure only filters, of this index"
    )
    given = parser.parse_args()
    if given.filters_of is not None:
        index = VectorIndex.open(given.filters_of, load="ram")
        base = np.load(given.set / "base.npy", mmap_mode="r")[: len(index)]
        for kind in ("text", "image"):
            print(f"\n{processor()}, {QUERIES} {kind} queries, {len(index)} rows", end="")
            queries = np.load(given.set / f"{kind}.npy")[:QUERIES].astype(np.float32)
            show_filters(index, base, queries, time.process_time)
        return
    given.out.mkdir(parents=True, exist_ok=True)
    base = np.load(given.set / "base.npy", mmap_mode="r")
    queries = np.load(given.set / "text.npy")[:QUERIES]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {QUERIES} text queries"
    )
    whole = built(given, base, f"all-{len(base)}")
    part = built(given, base[: given.small], f"part-{given.small}")
    truth = np.load(given.set / "text_truth.npy")[:QUERIES, :K]
    show_scaling(
        {"all": whole, "part": part}, queries, {"all": truth, "part": best(base[: given.small], queries)}
    )
    show_opening(whole)
    show_filters(whole, base, queries)
    path = whole.info().path
    del whole, part  # a mapped file stays in the cache
    show_cold(path, queries)
    show_tiers(given, base[: given.small], queries)


def built(given: argparse.Namespace, base: NDArray[np.float16], name: str, **settings: str) -> VectorIndex:
    """The index of this name, from an earlier run if there is one."""
    path = given.out / f"{name}.snap"
    if not path.exists():
        start = time.perf_counter()
        VectorIndex.build(base, np.load(given.set / "text_train.npy"), path=path, **settings)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"built {name}: {time.perf_counter() - start:.1f} s, peak {peak:.2f} GiB with the mapped input")
    return VectorIndex.open(path)


def best(base: NDArray[np.float16], queries: NDArray[np.float32]) -> Rows:
    return exact(base, queries, k=K)


def measure(
    ask: Ask, queries: NDArray[np.float32], truth: Rows, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, float, float]:
    """(recall, p50 ms, p95 ms); each query runs several times, and its fastest time counts."""
    times = np.empty((ROUNDS, len(queries)))
    for taken in times:
        found = []
        for number, (query, rows) in enumerate(zip(queries, truth, strict=True)):
            start = clock()
            ids = ask(query)
            taken[number] = clock() - start
            found.append(np.isin(rows, ids).mean() if len(rows) else 1.0)
    p50, p95 = np.percentile(times.min(axis=0), [50, 95]) * 1000
    return float(np.mean(found)), float(p50), float(p95)


def show_scaling(
    indexes: dict[str, VectorIndex], queries: NDArray[np.float32], truths: dict[str, Rows]
) -> None:
    print("\nrows | effort | text recall@10 | p50 ms | p95 ms | B/vector")
    for name, index in indexes.items():
        size = index.info().size_bytes / len(index)
        for effort in EFFORTS:
            recall, p50, p95 = measure(asking(index, effort=effort), queries, truths[name])
            print(f"{len(index)} | {effort} | {recall:.4f} | {p50:.3f} | {p95:.3f} | {size:.1f}")


def asking(index: VectorIndex, **settings: object) -> Ask:
    return lambda query: index.search(query[None], K, **settings)[0][0]


def show_opening(index: VectorIndex) -> None:
    path, times = index.info().path, []
    for _ in range(5):
        start = time.perf_counter()
        VectorIndex.open(path)
        times.append(1000 * (time.perf_counter() - start))
    print(f"\nopen: {min(times):.1f} to {max(times):.1f} ms, five times, {len(index)} rows")


def show_filters(
    index: VectorIndex,
    base: NDArray[np.float16],
    queries: NDArray[np.float32],
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Random allowed rows, or those that score best, or worst, for a direction near the queries."""
    rng = np.random.default_rng(1)
    direction = queries.mean(axis=0)
    scores = np.concatenate([block.astype(np.float32) @ direction for block in np.array_split(base, 30)])
    order = np.argsort(-scores, kind="stable")
    orders = {
        "random": rng.permutation(len(base)),
        "near the queries": order,
        "far from them": order[::-1],
    }
    print("\nallowed | rows | which | recall@10 | p50 ms | p95 ms")
    for share in SHARES:
        count = max(1, round(share * len(base)))
        for which, ranked in orders.items():
            allowed = np.zeros(len(base), np.bool_)
            allowed[ranked[:count]] = True
            numbers = np.flatnonzero(allowed)
            truth = (
                numbers[best(base[numbers], queries)] if count > K else np.tile(numbers, (len(queries), 1))
            )
            recall, p50, p95 = measure(asking(index, allow=index.filter(allowed)), queries, truth, clock)
            print(f"{share:.3%} | {count} | {which} | {recall:.4f} | {p50:.3f} | {p95:.3f}", flush=True)


def show_cold(path: Path, queries: NDArray[np.float32]) -> None:
    """The file is thrown out of the system's cache; then each query runs once."""
    thrown = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys; f = os.open(sys.argv[1], os.O_RDONLY); os.fsync(f); "
            "os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)",
            str(path),
        ],
        check=False,
    )
    if thrown.returncode:
        print("\ncold: this system cannot throw a file out of its cache")
        return
    times = []
    with_file = VectorIndex.open(path)
    for query in queries:
        start = time.perf_counter()
        with_file.search(query[None], K)
        times.append(1000 * (time.perf_counter() - start))
    print(
        f"\ncold: first query {times[0]:.1f} ms, median of the first ten {np.median(times[:10]):.1f} ms, "
        f"of the next ninety {np.median(times[10:100]):.1f} ms, "
        f"of the last hundred {np.median(times[-100:]):.2f} ms"
    )


def show_tiers(given: argparse.Namespace, base: NDArray[np.float16], queries: NDArray[np.float32]) -> None:
    """How good answers can be with each tier: every row is scored by it, and by the usual search."""
    truth = best(base, queries)
    print("\ntier | B/vector | recall@10 of every row scored | of effort 0.95: recall, p50 ms")
    for tier in TIERS:
        index = built(given, base, f"{tier}-{len(base)}", refine=tier)
        ceiling, _, _ = measure(asking(index, exact=True), queries[:100], truth[:100])
        recall, p50, _ = measure(asking(index), queries, truth)
        print(
            f"{tier} | {index.info().size_bytes / len(index):.1f} | {ceiling:.4f} | {recall:.4f}, {p50:.3f}"
        )


if __name__ == "__main__":
    main()
