"""Measure the demo library: `make figures`.

Pictures a second of an index, and which share of that time is the bare image tower; a typed query in process
and over HTTP. Recall is exact here: every row is scanned. CPU, cores and n are named with the figures.
"""

import http.client
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count, cycle
from pathlib import Path
from queue import Queue
from urllib.parse import quote, urlsplit

from snapseek import Encoder, Library
from snapseek.images import open_image
from snapseek.library.paths import DEMO_PICTURES
from snapseek.server import serve
from snapseek.threads import available_cores

FOLDERS = [DEMO_PICTURES, Path(__file__).parents[1] / "demo" / "pictures"]
QUERIES = ("a dog", "red flower", "snowy mountain", "old car", "musical instrument", "a bowl of fruit")


def main() -> None:
    print(f"{processor()}, {available_cores()} cores, Python {platform.python_version()}")
    encoder = Encoder.load()
    with tempfile.TemporaryDirectory() as temporary:
        started = time.perf_counter()
        library = Library.build(FOLDERS, Path(temporary) / "l", encoder=encoder)
        index_s = time.perf_counter() - started
        print(f"index: {len(library)} pictures in {index_s:.2f} s = {len(library) / index_s:.1f} pictures/s")
        _print_share(library, encoder, index_s)
        _print_ms("embed one text", lambda text: encoder.embed_texts([text]), n=300)
        _print_ms("embed it again", lambda text: encoder.embed_texts([text]), n=300)
        new = (f", {number}" for number in count())
        _print_ms(
            "Library.search, limit = 60", lambda text: library.search(text + next(new), limit=60), n=300
        )
        _print_ms("Library.search again", lambda text: library.search(text, limit=60), n=300)
        _print_http(library)


def _print_share(library: Library, encoder: Encoder, index_s: float) -> None:
    """The bare tower: pictures already decoded, all cores as in the index, each picture a call of its own."""
    paths = [library.original_path(hit.id) for hit in library.browse(len(library))]
    images = [open_image(path, min_side=encoder.image.picture_side_px).image for path in paths]
    started = time.perf_counter()
    with ThreadPoolExecutor(available_cores()) as pool:
        list(pool.map(lambda image: encoder.embed_images([image]), images))
    tower_s = time.perf_counter() - started
    started = time.perf_counter()
    for image in images[:50]:
        encoder.embed_images([image])
    one_ms = 1000 * (time.perf_counter() - started) / 50
    print(
        f"image tower: {len(images) / tower_s:.1f} pictures/s alone; {one_ms:.1f} ms a picture on one thread"
    )
    print(f"the tower's share of the index: {tower_s / index_s:.2f}")


def _print_ms(name: str, call: Callable[[str], object], n: int) -> None:
    times_ms = []
    for number, query in zip(range(n), cycle(QUERIES), strict=False):
        text = f"{query} {number}"  # each text once, since an encoder caches the vectors of past queries
        started = time.perf_counter()
        call(text)
        times_ms.append(1000 * (time.perf_counter() - started))
    times_ms.sort()
    p95 = times_ms[int(0.95 * n)]
    print(f"{name}: p50 {statistics.median(times_ms):.2f} ms, p95 {p95:.2f} ms, n = {n}")


def _print_http(library: Library) -> None:
    """Measure a real server on loopback, over one kept-alive connection."""
    address: Queue[str] = Queue()
    options = {"port": 0, "on_ready": address.put}
    threading.Thread(target=serve, args=(library,), kwargs=options, daemon=True).start()
    connection = http.client.HTTPConnection(urlsplit(address.get()).netloc)

    def ask(text: str) -> None:
        connection.request("GET", f"/api/search?q={quote(text)}&limit=60")
        body = connection.getresponse().read()
        if b'"results"' not in body:
            raise RuntimeError(body[:200])

    _print_ms("GET /api/search, 60 results", ask, n=300)


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
