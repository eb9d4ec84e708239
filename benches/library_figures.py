"""The figures of a large library, measured anew: import, disk, opening, memory, typed queries.

    PYTHONPATH=python:tests python benches/library_figures.py SET OUT [--rows 1500000] [--memory 540MB]

SET is a folder that benches/clip_like.py wrote; OUT gets the input, the model and the library, and has to be
empty. The vectors are the first rows of SET; each row has a url, caption, width, height, date and licence,
made up, and the preview and colour of one of the demo pictures. The model's text tower is a table of the text
queries of SET, one word each: what is asked are vectors of the set, but the tower costs next to nothing, so
add what a real one costs. Serving is measured in a process of its own.
"""

import argparse
import http.client
import json
import multiprocessing
import platform
import statistics
import threading
import time
from datetime import date, timedelta
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import tiny_model
from snapseek import Encoder, Library, VectorIndex
from snapseek.images import make_preview, open_picture
from snapseek.library.library import available_cores
from snapseek.server import serve
from snapseek.sources import find_pictures

PICTURES = Path(__file__).parents[1] / "demo" / "pictures"
FILE_ROWS = 500_000
PARQUET_ROWS = 50_000
ASKED = 300
LICENCES = ("CC0", "CC-BY-4.0", "CC-BY-SA-4.0", "unknown")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a large library.")
    parser.add_argument("set", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=1_500_000)
    parser.add_argument("--memory", default=None, help="bound of the vectors, such as 540MB")
    given = parser.parse_args()
    print(f"{_processor()}, {available_cores()} cores, Python {platform.python_version()}")
    model = write_model(given.out / "model", np.load(given.set / "text.npy"))
    write_input(given.out / "input", np.load(given.set / "base.npy", mmap_mode="r"), given.rows)
    print_import(given.out, model, given.set, given.memory)
    print_disk(given.out / "library")
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        pool.apply(print_serving, (given.out / "library", given.set))


def write_model(folder: Path, queries: np.ndarray) -> Path:
    """A model whose word `q7` means the seventh text query of the set."""
    words = {f"q{number}": tuple(row) for number, row in enumerate(queries)}
    dim = queries.shape[1]
    empty = (0.0,) * (dim - 1)
    tiny_model.COLORS = {"[PAD]": (0.0, *empty), "[UNK]": (1e-3, *empty), **words}
    return tiny_model.write_tiny_model(folder, image_dim=dim)


def write_input(folder: Path, base: np.ndarray, rows: int) -> None:
    """npy and parquet as clip-retrieval lays them out, half a million rows a file."""
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    previews, colors = preview_pool()
    for number, start in enumerate(range(0, rows, FILE_ROWS)):
        end = min(rows, start + FILE_ROWS)
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", base[start:end])
        with pq.ParquetWriter(
            folder / "metadata" / f"metadata_{number}.parquet", table(0, 1, previews, colors).schema
        ) as writer:
            for first in range(start, end, PARQUET_ROWS):
                writer.write_table(table(first, min(end, first + PARQUET_ROWS), previews, colors))


def preview_pool() -> tuple[list[bytes], list[str]]:
    """The real previews and mean colours of the demo pictures."""
    made = [make_preview(open_picture(found.path).image) for found in find_pictures(PICTURES)]
    sizes = [len(preview.data) for preview in made]
    print(f"pool: {len(made)} previews, mean {statistics.mean(sizes):.0f} bytes, most {max(sizes)}")
    return [preview.data for preview in made], [preview.color for preview in made]


def table(start: int, end: int, previews: list[bytes], colors: list[str]) -> pa.Table:
    rows = range(start, end)
    chosen = np.random.default_rng(start).integers(0, len(previews), len(rows))
    first_day = date(2010, 1, 1)
    return pa.table(
        {
            "url": [
                f"https://pictures.example/{row % 977:03}/{row * 2654435761 % 2**32:08x}.jpg" for row in rows
            ],
            "caption": [f"picture number {row}, with a caption of the usual length" for row in rows],
            "width": pa.array([640 + row % 1000 for row in rows], pa.int32()),
            "height": pa.array([480 + row % 700 for row in rows], pa.int32()),
            "date": [first_day + timedelta(days=row % 5000) for row in rows],
            "licence": [LICENCES[row % len(LICENCES)] for row in rows],
            "preview": pa.array([previews[number] for number in chosen], pa.binary()),
            "color": [colors[number] for number in chosen],
        }
    )


def print_import(out: Path, model: Path, vectors: Path, memory: str | None) -> None:
    stages: dict[str, float] = {}
    peak = MemoryPeak()
    started = last = time.perf_counter()

    def note(stage: str, _: float) -> None:
        nonlocal last
        now = time.perf_counter()
        stages[stage] = stages.get(stage, 0.0) + now - last
        last = now

    with peak:
        library = Library.import_vectors(
            out / "input",
            out / "library",
            encoder=Encoder.load(model),
            queries=np.load(vectors / "text_train.npy", mmap_mode="r"),
            memory=memory,
            progress=note,
        )
    took_s = time.perf_counter() - started
    print(f"import: {len(library)} rows in {took_s / 60:.2f} min, bound of the vectors {memory}")
    print("  " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in stages.items()))
    print(f"  peak of its own memory {peak.own_mb:.0f} MB, with mapped files {peak.whole_mb:.0f} MB")


class MemoryPeak:
    """The most memory of this process, looked at every 50 ms: its own, and with the files that it maps."""

    def __init__(self) -> None:
        self.own_mb = self.whole_mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            own_mb, whole_mb = memory_mb()
            self.own_mb, self.whole_mb = max(self.own_mb, own_mb), max(self.whole_mb, whole_mb)

    def __enter__(self) -> "MemoryPeak":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()


def memory_mb() -> tuple[float, float]:
    """What is resident of this process now: anonymous memory, and all."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kb = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "VmRSS"))}
    return kb["RssAnon"] / 1e3, kb["VmRSS"] / 1e3


def print_disk(library: Path) -> None:
    sizes: dict[str, int] = {}
    for path in library.rglob("*"):
        if path.is_file():
            sizes[path.suffix] = sizes.get(path.suffix, 0) + path.stat().st_size
    parts = ", ".join(f"{suffix} {size / 1e6:.1f} MB" for suffix, size in sorted(sizes.items()))
    (snap,) = (library / "shards").glob("*.snap")
    info = VectorIndex.open(snap).info()
    print(f"vectors: {info.kind}, {info.nlist} lists, m = {info.m}, tier {info.tier}, {info.transform}")
    print(f"disk: {parts}; together {sum(sizes.values()) / 1e9:.3f} GB")


def print_serving(place: Path, vectors: Path) -> None:
    started = time.perf_counter()
    library = Library.open(place)
    opened = time.perf_counter()
    library.search("q0", 60)
    print(f"open {opened - started:.2f} s, with the model and the first answer {_since(started):.2f} s")
    words = [f"q{number}" for number in range(1, ASKED + 1)]
    print_ms("Library.search, k = 60, first time", [timed(library.search, word, 60) for word in words])
    print_ms("Library.search, k = 60, again", [timed(library.search, word, 60) for word in words])
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


def ask(connection: http.client.HTTPConnection, word: str) -> None:
    connection.request("GET", f"/api/search?q={word}&limit=60")
    if len(json.loads(connection.getresponse().read())["results"]) != 60:
        raise RuntimeError("expected 60 results")


def timed(call: Any, *arguments: Any) -> float:
    started = time.perf_counter()
    call(*arguments)
    return 1000 * _since(started)


def _since(started: float) -> float:
    return time.perf_counter() - started


def print_ms(name: str, times_ms: list[float]) -> None:
    p50, p95 = np.percentile(times_ms, [50, 95])
    print(f"{name}: p50 {p50:.2f} ms, p95 {p95:.2f} ms, n = {len(times_ms)}")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
