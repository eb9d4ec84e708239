"""Compare the recall that an effort requests with the recall on queries that no build has seen.

    python -m benches.calibration_figures target/clip --rows 150000

The folder is written by `benches/clip_like.py`. Builds train on its `text_train.npy`; searches use
`text.npy` and `image.npy`.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapseek import VectorIndex

TARGETS = (0.90, 0.95, 0.98, 0.995)
NEIGHBOURS = 10


def truth_of(base: NDArray[np.float16], queries: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the ten nearest rows of each query, (q, 10), by float32 inner products with every row."""
    scores = np.concatenate(
        [
            queries @ base[begin : begin + 50_000].astype(np.float32).T
            for begin in range(0, len(base), 50_000)
        ],
        axis=1,
    )
    return np.argpartition(-scores, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]


def recalls(found: NDArray[np.int64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the recall@10 of each query, (q,)."""
    return np.array([len(np.intersect1d(a, b)) / NEIGHBOURS for a, b in zip(found, truth, strict=True)])


def print_row(name: str, index: VectorIndex, queries: NDArray[np.float32], truth: NDArray[np.int64]) -> None:
    """Print one line for each requested recall: recall, standard error, milliseconds a query."""
    for target in TARGETS:
        index.search(queries[:50], NEIGHBOURS, effort=target)
        begin = time.perf_counter()
        found = np.concatenate([index.search(q, NEIGHBOURS, effort=target)[0] for q in queries])
        took_ms = 1000 * (time.perf_counter() - begin) / len(queries)
        each = recalls(found, truth)
        error = each.std(ddof=1) / len(each) ** 0.5
        size = index.info().size_bytes / len(index)
        got = f"got {each.mean():.4f} +- {error:.4f}, {took_ms:.3f} ms, {size:.0f} bytes"
        print(f"{name} requested {target:.3f} {got}")


def main() -> None:
    """Build with several seeds and sizes, and search."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=150_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--tiers", nargs="*", default=["int8"], help="names of refine codecs")
    args = parser.parse_args()
    base = np.load(args.folder / "base.npy", mmap_mode="r")[: args.rows]
    train = np.load(args.folder / "text_train.npy", mmap_mode="r")
    kinds = {}
    for kind in ("text", "image"):
        queries = np.load(args.folder / f"{kind}.npy")[: args.queries].astype(np.float32)
        kinds[kind] = queries, truth_of(base, queries)
    with tempfile.TemporaryDirectory() as home:
        for tier in args.tiers:
            for seed in args.seeds:
                begin = time.perf_counter()
                index = VectorIndex.build(base, train, path=Path(home) / "a.snap", refine=tier, seed=seed)
                print(f"{tier} seed {seed} built in {time.perf_counter() - begin:.1f} s")
                for kind, (queries, truth) in kinds.items():
                    print_row(f"{tier} seed {seed} {kind}", index, queries, truth)
                    best = recalls(index.search(queries, NEIGHBOURS, exact=True)[0], truth).mean()
                    print(f"{tier} seed {seed} {kind} exact: {best:.4f}", flush=True)


if __name__ == "__main__":
    main()
