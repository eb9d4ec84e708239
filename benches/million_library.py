"""A library of 1.5 million pictures, shared by several benchmarks, and the cost of building it.

    python -m benches.million_library SET OUT [--rows 1500000] [--memory 520MB]

SET is a folder that benches/clip_like.py wrote; OUT gets the input (`img_emb/*.npy`, float16, and
`metadata/*.parquet`), the model and the library, and has to be empty of those. The vectors are the first rows
of SET; what else a picture has is made up (`made_records.py`), its preview and colour are real.

The model's text tower is a table: `q7` is the seventh text query of SET, and each word of the captions is one
of its further queries. So queries are vectors of the set, and words have neighbours, though not of
their meaning; the tower costs next to nothing: add what a real one costs. The bound of the vectors leaves
four bits a number in the refining tier; without it, eight (`docs/VECTORS.md`).
"""

import argparse
import http.client
import json
import platform
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pyarrow.parquet as pq

from benches.made_records import SCHEMA, WORDS, preview_pool, records
from snapseek import Encoder, Library, VectorIndex
from snapseek.threads import available_cores
from tests.support import tiny_model

FILE_ROWS = 500_000
PARQUET_ROWS = 50_000
MEMORY = "520MB"
ASKED = 300
EXAMPLES = ["red boat", "old lighthouse at dusk", "dog by a lake"]


def main() -> None:
    given = parsed("Make a library of many pictures.")
    print_machine()
    make_library(given)
    print_serving(given.out / "library")


def parsed(description: str) -> argparse.Namespace:
    """What the command line says: set, out, rows, memory."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("set", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=1_500_000)
    parser.add_argument("--memory", default=MEMORY, help=f"bound of the vectors (default: {MEMORY})")
    return parser.parse_args()


def print_machine() -> None:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    print(f"{processor}, {available_cores()} cores, Python {platform.python_version()}")


def make_library(given: argparse.Namespace) -> None:
    """Write the input, the model and the library into `given.out`; print what it costs."""
    train = np.load(given.set / "text_train.npy", mmap_mode="r")
    model = write_model(given.out / "model", np.load(given.set / "text.npy"), train)
    write_input(given.out / "input", np.load(given.set / "base.npy", mmap_mode="r"), given.rows)
    print_import(given.out, model, train, given.memory)
    print_disk(given.out / "library")


def write_model(folder: Path, queries: np.ndarray, further: np.ndarray) -> Path:
    """A model whose word `q7` means the seventh of `queries`, and each word of captions one of `further`."""
    dim = queries.shape[1]
    query_vectors = {f"q{number}": tuple(row) for number, row in enumerate(queries)}
    words = {word: tuple(row) for word, row in zip(WORDS, np.array(further[-len(WORDS) :]), strict=True)}
    empty = (0.0,) * (dim - 1)
    tiny_model.COLORS = {"[PAD]": (0.0, *empty), "[UNK]": (1e-3, *empty), **query_vectors, **words}
    tiny_model.write_tiny_model(folder, image_dim=dim)
    (folder / "examples.json").write_text(json.dumps({"examples": EXAMPLES}))
    return folder


def write_input(folder: Path, base: np.ndarray, rows: int) -> None:
    """npy and parquet as clip-retrieval lays them out, half a million rows a file."""
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    previews, colors = preview_pool()
    for number, start in enumerate(range(0, rows, FILE_ROWS)):
        end = min(rows, start + FILE_ROWS)
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", base[start:end])
        with pq.ParquetWriter(folder / "metadata" / f"metadata_{number}.parquet", SCHEMA) as writer:
            for first in range(start, end, PARQUET_ROWS):
                writer.write_table(records(first, min(end, first + PARQUET_ROWS), previews, colors))


def print_import(out: Path, model: Path, queries: np.ndarray, memory: str | None) -> None:
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
            queries=queries,
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


def memory_mb(process: int | str = "self") -> tuple[float, float]:
    """What is resident of a process now: anonymous memory, and all."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
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
    print(f"vectors: {info.kind}, {info.nlist} lists, m = {info.m}, tier {info.refine}, {info.transform}")
    print(f"disk: {parts}; together {sum(sizes.values()) / 1e9:.3f} GB")


def print_serving(path: Path) -> None:
    """`snapseek serve` as a user starts it: seconds to the first answer, then the memory of that process."""
    started = time.perf_counter()
    library = Library.open(path)
    opened_s = time.perf_counter() - started
    library.search("q0", 60)
    print(f"open {opened_s:.2f} s, with the model and the first answer {time.perf_counter() - started:.2f} s")
    started = time.perf_counter()
    command = [sys.executable, "-m", "snapseek", "serve", str(path), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            connection = http.client.HTTPConnection(address_of(server))
            ask(connection, "q1")
            print(f"snapseek serve, from its start to the first answer {time.perf_counter() - started:.2f} s")
            for number in range(ASKED):
                ask(connection, f"q{number}")
            own_mb, whole_mb = memory_mb(server.pid)
            print(f"memory while serving: its own {own_mb:.0f} MB, with mapped files {whole_mb:.0f} MB")
        finally:
            server.send_signal(signal.SIGINT)


def address_of(server: "subprocess.Popen[str]", said: list[str] | None = None) -> str:
    """host:port, once `snapseek serve` says it; what it says later is read, and kept in `said` if given."""
    for line in server.stderr or ():
        if line.startswith("serving "):
            threading.Thread(target=_keep, args=(server, [] if said is None else said), daemon=True).start()
            return urlsplit(line.split()[1]).netloc
    raise RuntimeError(f"the server ended with {server.wait()}")


def _keep(server: "subprocess.Popen[str]", said: list[str]) -> None:
    """Keep what a server says until it ends, or until its output is closed."""
    with suppress(ValueError):
        said.extend(server.stderr or ())


def ask(connection: http.client.HTTPConnection, query: str) -> dict[str, Any]:
    """The answer to a query, which has 60 results."""
    connection.request("GET", f"/api/search?q={quote(query)}&limit=60")
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    if len(answer["results"]) != 60:
        raise RuntimeError("expected 60 results")
    return answer


if __name__ == "__main__":
    main()
