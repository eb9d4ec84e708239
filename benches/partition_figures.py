"""How well IVF partitions answer together: overlap with one index, score error, bytes and times.

    python -m benches.partition_figures SET [--rows 300000] [--parts 1 4 8] [--own]

SET is a folder that benches/clip_like.py wrote. One index is trained on all rows and encodes them; the parts
take its training, as `snapseek collection train` does it. `--own`: each part has its own training. Lists are
merged by score, and compared with the ten best by float32 vectors and with the one index. Operating
points are those of a library: calibrated for 60 results, at least 1,000 candidates reranked.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.million_library import print_machine
from snapseek.library.storage.shared_training import FIRST_PAGE, SharedTraining
from snapseek.vectors import VectorIndex
from snapseek.vectors.index import CalibrationPoint

COLUMNS = (
    "parts",
    "bytes",
    "build s",
    "effort",
    "ms a part",
    "recall@10",
    "overlap@10",
    "score error p50, max",
)
K = 10
SHORTLIST = 1000
BLOCK_ROWS = 16_384


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--own", action="store_true", help="each part has its own training")
    given = parser.parse_args()
    print_machine()
    base = np.load(given.set / "base.npy", mmap_mode="r")[: given.rows]
    queries = np.load(given.set / "text.npy")[: given.queries].astype(np.float32)
    train = np.load(given.set / "text_train.npy", mmap_mode="r")[:5000].astype(np.float32)
    truth = _truth(base, queries)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        first, whole = Path(folder) / "first.snap", Path(folder) / "whole.snap"
        VectorIndex.build(base, train, path=first, nlist=len(base) // 92)
        print(f"training: {time.perf_counter() - start:.0f} s\n")
        start = time.perf_counter()
        one = VectorIndex.build(base, train, path=whole, training=first)
        took = time.perf_counter() - start
        expected = _search([one], queries, [_point(one)])[0]
        print(f"| {' | '.join(COLUMNS)} |")
        print("|---" * len(COLUMNS) + "|")
        for parts in given.parts:
            start = time.perf_counter()
            indexes = [one] if parts == 1 else _parts(base, train, parts, None if given.own else whole)
            build_s = took if parts == 1 else time.perf_counter() - start
            size = sum(index.info().size_bytes for index in indexes)
            for name, points in _efforts(indexes, one, own=given.own):
                found, scores, part_ms = _search(indexes, queries, points)
                error = np.abs(scores - np.einsum("qd,qkd->qk", queries, base[found].astype(np.float32)))
                print(
                    f"| {parts} | {size:,} | {build_s:.0f} | {name} | {part_ms:.2f} | "
                    f"{_overlap(found, truth):.4f} | {_overlap(found, expected):.4f} | "
                    f"{np.median(error):.5f}, {error.max():.5f} |",
                    flush=True,
                )


def _truth(base: NDArray[np.float16], queries: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the ten best of each query by float32 vectors."""
    ids = np.zeros((len(queries), 0), np.int64)
    scores = np.zeros((len(queries), 0), np.float32)
    for start in range(0, len(base), BLOCK_ROWS):
        block = queries @ base[start : start + BLOCK_ROWS].astype(np.float32).T
        numbers = np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)
        scores, ids = np.concatenate([scores, block], 1), np.concatenate([ids, numbers], 1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        scores, ids = np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)
    return ids


def _parts(
    base: NDArray[np.float16], train: NDArray[np.float32], parts: int, training: Path | None
) -> list[VectorIndex]:
    owner = np.random.default_rng(0).integers(0, parts, len(base))
    built = []
    for part in range(parts):
        rows = np.flatnonzero(owner == part)
        lists = {"nlist": max(1, len(rows) // 92)} if training is None else {}
        built.append(VectorIndex.build(base[rows], train, ids=rows, training=training, **lists))
    return built


def _point(index: VectorIndex) -> CalibrationPoint:
    point = index.search_params(k=FIRST_PAGE)
    assert point is not None
    return replace(point, shortlist=max(point.shortlist, SHORTLIST))


def _efforts(
    indexes: Sequence[VectorIndex], one: VectorIndex, *, own: bool
) -> Iterator[tuple[str, list[CalibrationPoint | None]]]:
    """Yield how the parts are searched: as parts of one index, as libraries of their own, exactly."""
    if not own:
        point, rows = one.search_params(k=FIRST_PAGE), len(one)
        assert point is not None
        training = SharedTraining(one.training or "", rows, {})
        shares = [len(index) / rows for index in indexes]
        yield (
            "of the merged list",
            [training.part_of(point, share, one.info().nlist, FIRST_PAGE, SHORTLIST) for share in shares],
        )
    if len(indexes) > 1:
        yield "of each part", list(map(_point, indexes))
    yield "exact", [None] * len(indexes)


def _search(
    indexes: Sequence[VectorIndex], queries: NDArray[np.float32], points: Sequence[CalibrationPoint | None]
) -> tuple[NDArray[np.int64], NDArray[np.float32], float]:
    """Return the ten best ids and scores of each query, and the median time of a part in ms."""
    found, scores = np.zeros((len(queries), K), np.int64), np.zeros((len(queries), K), np.float32)
    times = []
    for number, query in enumerate(queries):
        answers = []
        for index, point in zip(indexes, points, strict=True):
            start = time.perf_counter()
            answers.append(index.search(query[None], K, exact=point is None, effort=point))
            times.append(time.perf_counter() - start)
        ids = np.concatenate([ids[0] for ids, _ in answers])
        merged = np.concatenate([one[0] for _, one in answers])
        best = np.lexsort((ids, -merged))[:K]
        found[number], scores[number] = ids[best], merged[best]
    return found, scores, 1000 * float(np.median(times))


def _overlap(found: NDArray[np.int64], expected: NDArray[np.int64]) -> float:
    pairs = zip(found.tolist(), expected.tolist(), strict=True)
    return sum(len(set(one) & set(other)) for one, other in pairs) / found.size


if __name__ == "__main__":
    main()
