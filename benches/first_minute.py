"""The first minute of a folder: seconds to a page with 20 tiles, and the rate of the index meanwhile.

    python -m benches.first_minute OUT [--pictures 2000] [--large 20] [--indexed 600] [--repeats 3]

OUT has to be empty. A folder of small pictures, with some of 12 megapixels spread among them, is opened with
`snapseek FOLDER`, in a new process and without a library; then the time runs until the server answers with 20
tiles, each with its preview. After that a folder of small pictures is indexed, by turns with `snapseek index`
alone and by a server that a client types at, a letter every 150 ms. The share is that of the rates, from the
64th picture on. Other programs on the machine change times; they change processor seconds little: those until
the tiles are there, and what the server leaves of all cores while a client types.
"""

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from benches.large_pictures import BODIES, large_picture
from benches.million_library import address_of, print_machine
from snapseek import Library
from snapseek.threads import available_cores

TILES = 20
PER_FOLDER = 500
SIDES_PX = (160, 120)
_LARGE_BODY = 9  # of 12 megapixels
_FIRST = 64  # pictures until the rate is steady
_POLL_S = 0.02
_JOB_POLL_S = 0.2
_PATIENCE_S = 600.0
_TEXTS = ("a red flower", "two dogs on a beach", "mountain", "blue car at night")

Sample = tuple[float, int]
"""A moment, and how many files were done."""


@dataclass(frozen=True)
class TypedRun:
    """An index while a client types: its progress, the seconds of each answer, the cores of the server."""

    samples: list[Sample]
    answers_s: list[float]
    server_cores: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=2_000)
    parser.add_argument("--large", type=int, default=20, help="pictures of 12 megapixels among them")
    parser.add_argument("--indexed", type=int, default=600, help="pictures of one index; 0 leaves this out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pause", type=float, default=0.15, help="seconds between two letters")
    given = parser.parse_args()
    print_machine()
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    write_pictures(given.out / "opened", given.pictures, given.large)
    served_s, tiles_s, processor = seconds_to_tiles(given.out / "opened", given.out / "opened.snapseek")
    print(
        f"{given.pictures:,} pictures, {given.large} of 12 megapixels: served after {served_s:.1f} s, ",
        end="",
    )
    print(f"{TILES} tiles after {tiles_s:.1f} s; {processor:.1f} processor seconds until then")
    if not given.indexed:
        return
    write_pictures(given.out / "indexed", given.indexed, 0)
    shares = []
    for number in range(given.repeats):
        plain = rate_of(index_alone(given.out / "indexed", given.out / f"alone-{number}.snapseek"))
        run = index_while_typing(given.out / "indexed", given.out / f"typed-{number}.snapseek", given.pause)
        shares.append((rate_of(run.samples) / plain, 1 - run.server_cores / available_cores()))
        print(
            f"alone {plain:.0f}/s, while typing {rate_of(run.samples):.0f}/s: {shares[-1][0]:.2f}; ", end=""
        )
        print(f"the server needs {run.server_cores:.2f} cores; ", end="")
        print(f"{1000 * statistics.median(run.answers_s):.0f} ms for a letter (p50 of {len(run.answers_s)})")
    rate, processor = (statistics.median(column) for column in zip(*shares, strict=True))
    print(f"kept while a client types: {rate:.2f} of the rate, {processor:.3f} of the cores (medians)")


def write_pictures(folder: Path, count: int, large: int) -> None:
    """Write small pictures, all different, and `large` ones of 12 megapixels evenly among them."""
    every = count // large if large else count + 1
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number // PER_FOLDER:03}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % every == 0 and large:
            path.write_bytes(large_picture(_LARGE_BODY + BODIES * (number // every)))
            continue
        noise = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
        noise.resize(SIDES_PX, Image.Resampling.BICUBIC).save(path, quality=80)


def seconds_to_tiles(folder: Path, library: Path) -> tuple[float, float, float]:
    """Return the seconds from the start of `snapseek FOLDER` to its page, and to its first tiles.

    The third number is that of processor seconds until the tiles are there.
    """
    start_s = time.perf_counter()
    with opened(folder, library) as (connection, process):
        served_s = time.perf_counter() - start_s
        while True:
            tiles = get(connection, f"/api/items?limit={TILES}")["results"]
            if len(tiles) == TILES and all(tile["preview"] for tile in tiles):
                return served_s, time.perf_counter() - start_s, processor_s(process, with_children=True)
            time.sleep(_POLL_S)


@contextmanager
def opened(folder: Path, library: Path) -> Iterator[tuple[http.client.HTTPConnection, int]]:
    """Yield a connection to `snapseek FOLDER`, and its process; Ctrl-C stops it afterwards."""
    line = [str(folder), f"--library={library}", "--no-open", "--port=0", "--no-watch"]
    command = [sys.executable, "-m", "snapseek", "open", *line]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=_as_installed(library)) as server:
        try:
            host, _, port = address_of(server).rpartition(":")
            with closing(http.client.HTTPConnection(host, int(port), timeout=60)) as connection:
                yield connection, server.pid
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)


def _as_installed(library: Path) -> dict[str, str]:
    """Return an environment in which modules are compiled already, as after the installation of a package."""
    cache = library.parent / "pycache"
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if not cache.exists():
        modules = "import snapseek.library, snapseek.server.run, snapseek.cli.open, snapseek.cli.index"
        subprocess.run([sys.executable, "-c", modules], env=environment, check=True)
    return environment


def get(connection: http.client.HTTPConnection, path: str) -> dict[str, Any]:
    connection.request("GET", path)
    found: dict[str, Any] = json.loads(connection.getresponse().read())
    return found


def index_alone(folder: Path, library: Path) -> list[Sample]:
    """Index in a process alone; return its progress."""
    command = [sys.executable, "-m", "benches.first_minute", "--only-index", str(folder), str(library)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    samples = [(time.perf_counter(), int(line)) for line in process.stdout]
    process.wait()
    return samples


def only_index(folder: str, library: str) -> None:
    """Index a folder, and print how many files are done."""
    Library.build(folder, library, progress=lambda progress: print(progress.done, flush=True))


def index_while_typing(folder: Path, library: Path, pause_s: float) -> TypedRun:
    """Index by a server while a client types."""
    with opened(folder, library) as (connection, process):
        start_s, before_s = time.perf_counter(), processor_s(process)
        ended = threading.Event()
        answers_s: list[float] = []
        address = connection.host, connection.port
        typist = threading.Thread(target=type_letters, args=(address, pause_s, ended, answers_s))
        typist.start()
        samples: list[Sample] = []
        try:
            end_s = time.perf_counter() + _PATIENCE_S
            while time.perf_counter() < end_s:
                job = get(connection, "/api/jobs")["jobs"][0]
                samples.append((time.perf_counter(), job["done"]))
                if job["state"] not in ("waiting", "running"):
                    break
                time.sleep(_JOB_POLL_S)
        finally:
            ended.set()
            typist.join()
        cores = (processor_s(process) - before_s) / (time.perf_counter() - start_s)
    return TypedRun(samples, answers_s, cores)


def processor_s(process: int, *, with_children: bool = False) -> float:
    """Return the processor seconds of a process, also those of its children that run."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    seconds = sum(int(field) for field in fields[11:13]) / os.sysconf("SC_CLK_TCK")
    if with_children:
        tasks = Path(f"/proc/{process}/task").glob("*/children")
        children = [int(child) for task in tasks for child in task.read_text().split()]
        seconds += sum(processor_s(child, with_children=True) for child in children)
    return seconds


def type_letters(address: tuple[str, int], pause_s: float, ended: threading.Event, took: list[float]) -> None:
    """Search for the beginning of each text, a letter more each time."""
    with closing(http.client.HTTPConnection(*address, timeout=60)) as connection:
        while True:
            for text in _TEXTS:
                for length in range(1, len(text) + 1):
                    if ended.wait(pause_s):
                        return
                    start_s = time.perf_counter()
                    get(connection, f"/api/search?model=fast&mode=auto&q={quote(text[:length])}")
                    took.append(time.perf_counter() - start_s)


def rate_of(samples: list[Sample]) -> float:
    """Return how many files a second were done, from the first steady sample to the last file."""
    last = max(done for _, done in samples)
    steady = [(moment, done) for moment, done in samples if done >= min(_FIRST, last // 2)]
    (start_s, first), end_s = steady[0], next(moment for moment, done in steady if done == last)
    return (last - first) / (end_s - start_s)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--only-index"]:
        only_index(*sys.argv[2:])
    else:
        main()
