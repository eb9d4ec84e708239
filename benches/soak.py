"""Endurance of the server: the memory over many mixed requests, and what the settings of malloc cost.

    python -m benches.soak FOLDER [--requests 100000] [--no-caches]
    python -m benches.soak FOLDER --throughput ROUNDS

FOLDER gets large pictures and a library of them, and is used again. Of 100 requests 5 are searches by an
uploaded picture and 5 are resized pictures, all distinct and of 5 to 24 megapixels; 10 are whole pictures, 30
searches by words, 25 entries and 25 previews. The memory of the server is printed at the start, ten times on
the way and at the end. `--throughput` compares the server and an index with and without the settings of
`snapseek.malloc`, taking turns.
"""

import argparse
import base64
import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

from benches.large_pictures import large_picture
from benches.made_records import WORDS
from benches.million_library import address_of, memory_mb, print_machine
from snapseek import Library
from snapseek.malloc import SWITCH

CLIENTS = 4
SHARES = (("upload", 5), ("resize", 5), ("image", 10), ("search", 30), ("item", 25), ("preview", 25))
"""Of 100 requests."""

LOOKS = 10
"""Looks at the memory."""

WIDTHS = (320, 640, 1280)
TURN_REQUESTS = 400
INDEXED = 120
_ATTEMPTS = 3
_PER_100 = dict(SHARES)
_ORDER = [kind for kind, share in SHARES for _ in range(share)]


@dataclass
class Soak:
    """A run: what was counted, and the memory (anonymous, all; in MB) by the number of requests."""

    memory: list[tuple[int, float, float]] = field(default_factory=list)
    seconds: float = 0.0
    requests: int = 0
    failed: int = 0

    @property
    def growth(self) -> float:
        """The growth of the resident memory over the last half, as a share of it."""
        half = next(total for count, _, total in self.memory if count >= self.requests / 2)
        return self.memory[-1][2] / half - 1


class Client:
    """Sends the requests of one thread."""

    def __init__(self, port: int, pictures: int, scale: float) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self._pictures = pictures
        self._scale = scale

    def close(self) -> None:
        self._connection.close()

    def send(self, number: int) -> bool:
        """Send the request of that number. Return whether it was answered as it should be."""
        rng = random.Random(number)
        order = random.Random(number // 100).sample(_ORDER, 100)
        kind = order[number % 100]
        rank = number // 100 * _PER_100[kind] + order[: number % 100].count(kind)
        for _ in range(_ATTEMPTS):
            try:
                getattr(self, f"_{kind}")(rank, rng)
                response = self._connection.getresponse()
                response.read()
            except ConnectionError:  # the server has closed the connection, which was idle too long
                self._connection.close()
            else:
                return response.status == 200
        return False

    def _upload(self, rank: int, _: random.Random) -> None:
        # After the pictures of the library, so that none is sent that the server has resized.
        image = base64.b64encode(large_picture(self._pictures + rank, self._scale)).decode()
        body = json.dumps({"terms": [{"image": image}], "limit": 60})
        self._connection.request("POST", "/api/search", body, {"content-type": "application/json"})

    def _resize(self, rank: int, _: random.Random) -> None:
        width = WIDTHS[rank % len(WIDTHS)]
        self._connection.request("GET", f"/api/image/{1 + rank % self._pictures}?w={width}")

    def _image(self, _: int, rng: random.Random) -> None:
        self._connection.request("GET", f"/api/image/{rng.randint(1, self._pictures)}")

    def _search(self, _: int, rng: random.Random) -> None:
        self._connection.request("GET", f"/api/search?q={quote(' '.join(rng.sample(WORDS, 3)))}&limit=60")

    def _item(self, _: int, rng: random.Random) -> None:
        self._connection.request("GET", f"/api/items/{rng.randint(1, self._pictures)}")

    def _preview(self, _: int, rng: random.Random) -> None:
        self._connection.request("GET", f"/api/preview/{rng.randint(1, self._pictures)}")


def made_library(folder: Path, pictures: int, scale: float = 1.0) -> Path:
    """Return a library of that many large pictures in `folder`, made if it is not there."""
    originals, library = folder / "pictures", folder / "library"
    originals.mkdir(parents=True, exist_ok=True)
    for number in range(pictures):
        path = originals / f"{number:05}.jpg"
        if not path.exists():
            path.write_bytes(large_picture(number, scale))
    Library.build(originals, library)
    return library


@contextmanager
def served(library: Path, *, caches: bool = True, malloc: bool = True) -> Iterator[tuple[int, int]]:
    """Serve a library in a process of its own; yield the port and the process id."""
    command = [sys.executable, "-m", "benches.soak", "--serve", str(library)]
    command += [] if caches else ["--no-caches"]
    environment = os.environ | ({} if malloc else {SWITCH: "default"})
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        try:
            yield int(address_of(server).rpartition(":")[2].rstrip("/")), server.pid
        finally:
            server.terminate()
            server.wait()


def serve_here(library: Path, *, caches: bool) -> None:
    """Serve a library in this process, with or without the caches of resized pictures and of queries."""
    from cachetools import LRUCache

    from snapseek.server import serve

    if not caches:
        LRUCache.__setitem__ = lambda self, key, value, **_: None  # type: ignore[method-assign,assignment]
    serve(
        Library.open(library),
        port=0,
        on_ready=lambda url: print(f"serving {url}", file=sys.stderr, flush=True),
    )


def soak(port: int, pid: int, requests: int, pictures: int, scale: float = 1.0) -> Soak:
    """Send mixed requests from `CLIENTS` threads, and look at the memory of the server meanwhile."""
    found = Soak(requests=requests)
    found.memory.append((0, *memory_mb(pid)))
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool, ExitStack() as stack:
        clients = [stack.enter_context(closing(Client(port, pictures, scale))) for _ in range(CLIENTS)]
        for look in range(LOOKS):
            first, end = requests * look // LOOKS, requests * (look + 1) // LOOKS
            parts = [
                pool.submit(_send_all, client, range(first + offset, end, CLIENTS))
                for offset, client in enumerate(clients)
            ]
            found.failed += sum(part.result() for part in parts)
            found.memory.append((end, *memory_mb(pid)))
            print(
                "  {:>7} requests: {:.0f} MB anonymous, {:.0f} MB in all".format(*found.memory[-1]),
                flush=True,
            )
    found.seconds = time.perf_counter() - began
    return found


def _send_all(client: Client, numbers: range) -> int:
    return sum(not client.send(number) for number in numbers)


def compare(folder: Path, library: Path, pictures: int, rounds: int) -> None:
    """Print requests and indexed pictures a second, with and without the settings of malloc, taking turns."""
    with ExitStack() as stack:
        servers = {on: stack.enter_context(served(library, malloc=on)) for on in (True, False)}
        send = {on: partial(_rate_of_turn, Client(port, pictures, 1.0)) for on, (port, _) in servers.items()}
        _print_rates("requests/s of a server", send, rounds)
        for on, (_, pid) in servers.items():
            memory = "{:.0f} MB anonymous, {:.0f} MB in all".format(*memory_mb(pid))
            print(f"  malloc {_name(on)}: {memory}, {cpu_seconds(pid):.1f} s of processor time")
    subset = folder / "subset"
    subset.mkdir(exist_ok=True)
    for path in sorted((folder / "pictures").iterdir())[:INDEXED]:
        (subset / path.name).unlink(missing_ok=True)
        (subset / path.name).hardlink_to(path)
    index = {on: partial(_index_rate, subset, malloc=on) for on in (True, False)}
    _print_rates("pictures/s of an index", index, rounds)


def cpu_seconds(process: int) -> float:
    """Return the processor time of a process, which other programs on the machine hardly change."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rate_of_turn(client: Client, turn: int) -> float:
    began = time.perf_counter()
    _send_all(client, range(turn * TURN_REQUESTS, (turn + 1) * TURN_REQUESTS))
    return TURN_REQUESTS / (time.perf_counter() - began)


def _index_rate(folder: Path, _turn: int, *, malloc: bool) -> float:
    library = folder.parent / "again"
    shutil.rmtree(library, ignore_errors=True)
    code = f"from snapseek import Library; Library.build({str(folder)!r}, {str(library)!r})"
    environment = os.environ | ({} if malloc else {SWITCH: "default"})
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return len(list(folder.iterdir())) / (time.perf_counter() - began)


def _print_rates(what: str, rates: dict[bool, Callable[[int], float]], rounds: int) -> None:
    found: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(rounds):
        for on in (True, False) if turn % 2 else (False, True):
            found[on].append(rates[on](turn))
    for on, values in found.items():
        print(f"{what}, malloc {_name(on)}: median {statistics.median(values):.1f} of {rounds} turns")
    ratios = [
        with_settings / default for with_settings, default in zip(found[True], found[False], strict=True)
    ]
    print(f"{what}: set / default {statistics.median(ratios):.3f}", flush=True)


def _name(on: bool) -> str:
    return "set" if on else "default"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--no-caches", action="store_true")
    parser.add_argument("--throughput", type=int, metavar="ROUNDS")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve_here(given.folder, caches=not given.no_caches)
        return
    print_machine()
    pictures = given.requests * _PER_100["resize"] // 100
    library = made_library(given.folder, pictures)
    if given.throughput:
        compare(given.folder, library, pictures, given.throughput)
        return
    with served(library, caches=not given.no_caches) as (port, pid):
        found = soak(port, pid, given.requests, pictures)
    caches = "without" if given.no_caches else "with"
    print(f"{given.requests} requests {caches} caches in {found.seconds:.0f} s, {found.failed} failed")
    print(
        f"start {found.memory[0][2]:.0f} MB, end {found.memory[-1][2]:.0f} MB, last half {found.growth:+.1%}"
    )


if __name__ == "__main__":
    main()
