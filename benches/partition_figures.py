"""How well IVF partitions answer together: overlap with one index, and the error of their scores.

    python -m benches.partition_figures SET [--rows 60000] [--parts 1 2 4]

SET is a folder that benches/clip_like.py wrote. Each part is an index of its own, with its own transform and
codes. Their lists are merged by score, and compared with the ten best by float32 vectors and with one index
of all rows. The parts are forced to be IVF indexes, however small they are.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.million_library import print_machine
from snapseek.vectors import VectorIndex

K = 10
EFFORTS: tuple[float | None, ...] = (0.95, 0.98, None)
"""None scores every row."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 2, 4])
    given = parser.parse_args()
    print_machine()
    base = np.load(given.set / "base.npy", mmap_mode="r")[: given.rows]
    queries = np.load(given.set / "text.npy")[: given.queries].astype(np.float32)
    train = np.load(given.set / "text_train.npy", mmap_mode="r")[:5000].astype(np.float32)
    scores = queries @ base.astype(np.float32).T
    truth = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    whole: dict[float | None, NDArray[np.int64]] = {}
    print("| parts | bytes | build s | effort | p50 ms | recall@10 | overlap@10 | score error p50, max |")
    print("|---|---|---|---|---|---|---|---|")
    for parts in given.parts:
        start = time.perf_counter()
        indexes = [_built(base, train, range(part, given.rows, parts)) for part in range(parts)]
        build_s = time.perf_counter() - start
        size = sum(index.info().size_bytes for index in indexes)
        for effort in EFFORTS:
            found, error, took_ms = _merged(indexes, queries, scores, effort)
            whole.setdefault(effort, found)
            print(
                f"| {parts} | {size:,} | {build_s:.0f} | {effort or 'exact'} | {took_ms:.2f} | "
                f"{_overlap(found, truth):.4f} | {_overlap(found, whole[effort]):.4f} | "
                f"{np.median(error):.5f}, {error.max():.5f} |"
            )


def _built(base: NDArray[np.float16], train: NDArray[np.float32], rows: range) -> VectorIndex:
    nlist = max(16, round(4 * len(rows) ** 0.5 / 16) * 16)
    return VectorIndex.build(
        np.ascontiguousarray(base[rows.start :: rows.step]), train, ids=np.array(rows), nlist=nlist
    )


def _merged(
    indexes: list[VectorIndex],
    queries: NDArray[np.float32],
    scores: NDArray[np.float32],
    effort: float | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32], float]:
    """Return the ten best ids of each query, the errors of their scores, and the median time of a query."""
    found = np.zeros((len(queries), K), np.int64)
    errors, times = [], []
    for number, query in enumerate(queries):
        start = time.perf_counter()
        answers = [
            index.search(query[None], K, exact=effort is None, effort=effort or 0.95) for index in indexes
        ]
        ids = np.concatenate([ids[0] for ids, _ in answers])
        merged = np.concatenate([one[0] for _, one in answers])
        best = np.lexsort((ids, -merged))[:K]
        times.append(time.perf_counter() - start)
        found[number] = ids[best]
        errors.append(np.abs(merged[best] - scores[number, ids[best]]))
    return found, np.concatenate(errors), 1000 * float(np.median(times))


def _overlap(found: NDArray[np.int64], expected: NDArray[np.int64]) -> float:
    shared = [
        len(set(one) & set(other)) for one, other in zip(found.tolist(), expected.tolist(), strict=True)
    ]
    return sum(shared) / (K * len(shared))


if __name__ == "__main__":
    main()
