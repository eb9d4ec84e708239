"""Measure the cost of filters: `python -m benches.filter_figures LIBRARY --queries text.npy`.

For ten typical filters of a library: how many pictures match, and p50 and p95 of a search with a new
filter (parse, evaluate, build the bitmap, search) and with a cached one. Each search has another query
vector. Recall is that of the ten best among the matching pictures against `exact`, which scores every one of
them. Column indexes are built first; their time, memory and bytes are printed.
"""

import argparse
import platform
import resource
import statistics
import time
from pathlib import Path

import numpy as np

from snapseek.library.encoders import EncoderPool
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.snapshot import Snapshot
from snapseek.library.storage.database import Database
from snapseek.library.storage.rows import RowHits
from snapseek.library.storage.selection import Selection
from snapseek.search_request import SearchRequest

FILTERS = (
    "after:2022",
    "year:2019..2021",
    "in:work",
    "in:/2020/work tag:bird",
    "orientation:portrait",
    "size:>20mp",
    "licence:CC0",
    "tag:bird",
    'caption:"red gate"',
    "after:2021 orientation:landscape -tag:bird",
)
K = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", type=Path)
    parser.add_argument("--queries", type=Path, required=True, help=".npy of (q, dim) unit rows")
    parser.add_argument("--n", type=int, default=100, help="questions a filter (default: 100)")
    options = parser.parse_args()
    queries = np.load(options.queries, mmap_mode="r")[: options.n].astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    start = time.perf_counter()
    with Database.open(options.library) as catalogue:
        snapshot = Snapshot.read(options.library, catalogue)
    print(
        f"{_processor()}, Python {platform.python_version()}, one thread; {len(snapshot)} pictures, "
        f"{len(queries)} text queries, k = {K}; opened in {1000 * (time.perf_counter() - start):.0f} ms"
    )
    _print_facets(snapshot, options.library)
    everything = Selection(snapshot._shards.parts, None)
    query_rows = iter(queries)
    for query in queries:  # so that no filter pays for the first look into the files
        snapshot._shards.search(query[None], K, selection=everything)
    plain = _times(
        lambda: snapshot._shards.search(next(query_rows)[None], K, selection=everything), len(queries)
    )
    print(f"without a filter: p50, p95 {_pair(plain)} ms")
    print("| filter | matching | first p50, p95 ms | filter + bitmap ms | again p50, p95 ms | recall@10 |")
    print("|---|---|---|---|---|---|")
    for text in FILTERS:
        print(_row(snapshot, text, queries), flush=True)
    start = time.perf_counter()
    found = snapshot.overview.suggestions
    print(f"suggestions: {1000 * (time.perf_counter() - start):.0f} ms; {found.examples}, ", end="")
    print(", ".join(f"{entry.operator} ({len(entry.values)})" for entry in found.columns))
    encoder = EncoderPool(options.library).lazy("full", snapshot)
    for sort in ("newest", "size"):
        browsing = _times(lambda sort=sort: snapshot.browse(SearchRequest(limit=K, sort=sort), encoder), 10)
        print(f"browse by {sort}, all pictures: p50 {statistics.median(browsing):.1f} ms")


def _print_facets(snapshot: Snapshot, library: Path) -> None:
    before = _resident_mb()
    start = time.perf_counter()
    for text in FILTERS:
        _matching(snapshot, text)
    seconds = time.perf_counter() - start
    on_disk = sum(path.stat().st_size for path in library.glob("shards/*.facet"))
    print(
        f"column indexes: built or opened in {seconds:.1f} s, {on_disk / 1e6:.0f} MB next to the shards; ",
        end="",
    )
    print(f"resident {before:.0f} MB before, {_resident_mb():.0f} MB after")


def _matching(snapshot: Snapshot, text: str) -> Selection:
    request = SearchRequest(where=text)
    matching = Selection(snapshot._shards.parts, ResolvedRequest.of(request, snapshot.kinds).tree)
    _ = matching.allowed  # evaluates the filter
    return matching


def _row(snapshot: Snapshot, text: str, queries: np.ndarray) -> str:
    first, alone, again, recalls = [], [], [], []
    for query in queries:
        start = time.perf_counter()
        matching = _matching(snapshot, text)
        alone.append(1000 * (time.perf_counter() - start))
        found = snapshot._shards.search(query[None], K, selection=matching)
        first.append(1000 * (time.perf_counter() - start))
    for query in queries:
        start = time.perf_counter()
        found = snapshot._shards.search(query[None], K, selection=matching)
        again.append(1000 * (time.perf_counter() - start))
        best = snapshot._shards.search(query[None], 10, exact=True, selection=matching)
        recalls.append(len(_rows(found, 10) & _rows(best, 10)) / max(1, len(best.rows)))
    return (
        f"| `{text}` | {matching.count} | {_pair(first)} | {statistics.median(alone):.1f} | {_pair(again)} "
        f"| {statistics.mean(recalls):.3f} |"
    )


def _rows(hits: RowHits, k: int) -> set[tuple[int, int]]:
    """Return the shard and row of each of the first `k` hits."""
    return set(zip(hits.shards[:k].tolist(), hits.rows[:k].tolist(), strict=True))


def _pair(times: list[float]) -> str:
    return f"{statistics.median(times):.1f}, {np.quantile(times, 0.95):.1f}"


def _times(ask, n: int) -> list[float]:
    times = []
    for _ in range(n):
        start = time.perf_counter()
        ask()
        times.append(1000 * (time.perf_counter() - start))
    return times


def _resident_mb() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _processor() -> str:
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.processor())


if __name__ == "__main__":
    main()
