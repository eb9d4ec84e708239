"""Measure a large library: typed queries, their parts, recall, HTTP.

    python -m benches.library_figures SET OUT [--rows 1500000] [--memory 520MB]

SET and OUT are those of million_library.py; where OUT has no library yet, it is made first, and its cost is
printed, too.
"""

import http.client
import multiprocessing
import statistics
import threading
import time
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benches.million_library import ASKED, ask, make_library, memory_mb, parsed, print_machine
from snapseek import Library
from snapseek.server import serve


def main() -> None:
    given = parsed("Measure a large library.")
    print_machine()
    if not (given.out / "library").exists():
        make_library(given)
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        pool.apply(print_answers, (given.out / "library", given.set))


def print_answers(path: Path, vectors: Path) -> None:
    """In a process of its own, so that its memory is that of serving alone."""
    started = time.perf_counter()
    library = Library.open(path)
    opened_s = time.perf_counter() - started
    library.search("q0", 60)
    print(f"open {opened_s:.2f} s, with the model and the first answer {time.perf_counter() - started:.2f} s")
    words = [f"q{number}" for number in range(1, ASKED + 1)]
    print_ms("Library.search, limit = 60, first time", [timed(library.search, word, 60) for word in words])
    print_ms("Library.search, limit = 60, again", [timed(library.search, word, 60) for word in words])
    took = [library.search(word, 60).took for word in words]
    parts = {
        part: statistics.median(getattr(t, f"{part}_ms") for t in took)
        for part in ("embed", "search", "fetch")
    }
    print("  p50 of its parts: " + ", ".join(f"{part} {ms:.2f} ms" for part, ms in parts.items()))
    print_agreement(library, words[:50])
    print_truth(library, vectors)
    address: Queue[str] = Queue()
    threading.Thread(
        target=serve, args=(library,), kwargs={"port": 0, "on_ready": address.put}, daemon=True
    ).start()
    connection = http.client.HTTPConnection(urlsplit(address.get()).netloc)
    print_ms("GET /api/search, 60 results", [timed(ask, connection, word) for word in words])
    own_mb, whole_mb = memory_mb()
    print(f"memory while serving: its own {own_mb:.0f} MB, with mapped files {whole_mb:.0f} MB")


def print_agreement(library: Library, words: list[str]) -> None:
    """The share of the ten best by a full scan that an ordinary search finds; and whether pages fit."""
    shares, fit = [], []
    for word in words:
        best = {hit.id for hit in library.search(word, 10, exact=True)}
        deep = [hit.id for hit in library.search(word, 180)]
        found = [hit.id for hit in library.search(word, 60)]
        shares.append(len(best & set(found[:10])) / 10)
        fit.append(deep[:60] == found)
    print(f"recall@10 against exact=True: {statistics.mean(shares):.3f}, n = {len(words)}")
    print(f"the first 60 of 180 are the 60: {sum(fit)} of {len(fit)} queries")


def print_truth(library: Library, vectors: Path) -> None:
    """The share of the ten truly best rows, by the vectors as they were, where SET was imported in whole."""
    truth = np.load(vectors / "text_truth.npy")[:ASKED, :10] + 1  # ids count from 1
    if len(np.load(vectors / "base.npy", mmap_mode="r")) == len(library):
        for exact in (False, True):
            found = [{hit.id for hit in library.search(f"q{n}", 10, exact=exact)} for n in range(len(truth))]
            share = np.mean(
                [len(ids & set(best)) / 10 for ids, best in zip(found, truth.tolist(), strict=True)]
            )
            print(f"recall@10 of the truth, exact={exact}: {share:.3f}, n = {len(truth)}")


def timed(call: Any, *arguments: Any) -> float:
    started = time.perf_counter()
    call(*arguments)
    return 1000 * (time.perf_counter() - started)


def print_ms(name: str, times_ms: list[float]) -> None:
    p50, p95 = np.percentile(times_ms, [50, 95])
    print(f"{name}: p50 {p50:.2f} ms, p95 {p95:.2f} ms, n = {len(times_ms)}")


if __name__ == "__main__":
    main()
