"""The server under load, and one person typing, measured over a large library that is served by a process.

    python -m benches.http_figures LIBRARY [--seconds 60] [--connections 64] [--typed 400] [--steady 100000]

LIBRARY is one that benches/typed_tower.py wrote (a text tower of true cost) or benches/million_library.py (a
tower that is a table, as a static student is). The clients are a process of their own, on the same cores: the
server has that much less.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from benches.made_records import WORDS
from benches.million_library import address_of, memory_mb, print_machine
from snapseek import Library
from snapseek.threads import available_cores

TYPED_QUERIES = 2000  # the queries of the set
FILTERS = ("year:2021", "licence:CC0", "after:2019 size:>1mp", "orientation:portrait", "tag:beach")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--typed", type=int, default=400, help="queries of one person")
    parser.add_argument("--steady", type=int, default=0, help="requests between two looks at the memory")
    given = parser.parse_args()
    print_machine()
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:
        bare = pool.apply(bare_rate, (given.library,))
    print(f"bare text tower: {bare:.0f} queries/s, {available_cores()} threads")
    command = [sys.executable, "-m", "snapseek", "serve", str(given.library), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            port = int(address_of(server).rpartition(":")[2])
            for task in (
                (print_typed, port, given.typed, 0.02),
                (print_typed, port, given.typed, 0.0),
                (print_load, port, given.connections, given.seconds, bare),
                (print_people, port, given.connections, given.seconds),
                (print_slow, port),
                (print_leaving, port),
            ):
                with context.Pool(1, maxtasksperchild=1) as pool:
                    pool.apply(task[0], task[1:])
            if given.steady:
                before = memory_mb(server.pid)
                with context.Pool(1) as pool:
                    pool.apply(send_many, (port, given.connections, given.steady))
                after = memory_mb(server.pid)
                print(f"memory before and after {given.steady} requests: {before} and {after} MB (now, peak)")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(20)


def bare_rate(library: Path, seconds: float = 6) -> float:
    """Return the queries a second of the text tower alone, with a thread for each core."""
    encoder = Library.open(library).encoder
    queries = typed_queries(1)
    encoder.embed_texts([next(queries)])
    sample = [next(queries) for _ in range(20_000)]
    end_s = time.perf_counter() + seconds

    def work(number: int) -> int:
        done = 0
        for query in sample[number :: available_cores()]:
            if time.perf_counter() > end_s:
                break
            encoder.embed_texts([query])
            done += 1
        return done

    with ThreadPoolExecutor(available_cores()) as pool:
        return sum(pool.map(work, range(available_cores()))) / seconds


def typed_queries(seed: int) -> Iterator[str]:
    """Queries of two to five words, each different from those before."""
    rng = random.Random(seed)
    words = sorted(WORDS)
    while True:
        words_of_query = " ".join(rng.sample(words, rng.randint(1, 4)))
        yield f"q{rng.randrange(TYPED_QUERIES)} {words_of_query}"


def requests(seed: int) -> Iterator[tuple[str, str]]:
    """Return requests of many visitors, by kind."""
    rng, fresh = random.Random(seed), typed_queries(seed)
    known = [next(fresh) for _ in range(50)]
    while True:
        kind = rng.choices(("new", "again", "page", "similar", "filter", "items"), (55, 15, 10, 8, 7, 5))[0]
        item = rng.randrange(1, 100_000)
        match kind:
            case "new":
                yield kind, f"/api/search?q={quote(next(fresh))}"
            case "again":
                yield kind, f"/api/search?q={quote(rng.choice(known))}"
            case "page":
                yield kind, f"/api/search?q={quote(rng.choice(known))}&offset=60"
            case "similar":
                yield kind, f"/api/items/{item}/similar?limit=20"
            case "filter":
                yield kind, f"/api/search?q={quote(next(fresh))}&where={quote(rng.choice(FILTERS))}"
            case _:
                yield kind, f"/api/items?offset={rng.randrange(900)}&limit=60"


class Connection:
    """One kept connection, as little HTTP as it takes, so that the clients cost little."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def get(self, target: str) -> tuple[int, bytes]:
        """Return status and body. Reopen a connection that was closed meanwhile, as browsers do."""
        try:
            return await self._get(target)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            if getattr(error, "partial", b""):
                raise
            self.close()
            return await self._get(target)

    async def _get(self, target: str) -> tuple[int, bytes]:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        self._writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head.split(b" ", 2)[1]), await self._reader.readexactly(length)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None


def print_typed(port: int, count: int, pause_s: float) -> None:
    """Measure one person who types queries with pauses, and for comparison a response of a few bytes."""

    async def person(targets: Iterator[str]) -> list[float]:
        connection, spent = Connection(port), []
        for number in range(count + 5):
            target = next(targets)
            began_s = time.perf_counter()
            status, _ = await connection.get(target)
            assert status == 200
            if number >= 5:
                spent.append(1000 * (time.perf_counter() - began_s))
            if pause_s:
                await asyncio.sleep(pause_s)
        return spent

    pauses = f"pauses of {1000 * pause_s:.0f} ms" if pause_s else "no pauses"
    queries = typed_queries(7 if pause_s else 8)
    searches = (f"/api/search?q={quote(query)}" for query in queries)
    folded = (f"/api/search?q={quote(query)}&dedup=1" for query in queries)
    print_ms(f"typed query, one connection, {pauses}, n = {count}", asyncio.run(person(searches)))
    print_ms("  folded, as the page asks", asyncio.run(person(folded)))
    print_ms("  /healthz", asyncio.run(person(itertools.repeat("/healthz"))))


def print_load(port: int, connections: int, seconds: float, bare: float) -> None:
    """Many visitors at once, each asking again as soon as it has its answer."""
    spent: dict[str, list[float]] = {}
    statuses: Counter[int] = Counter()

    async def visitor(seed: int, end_s: float) -> None:
        connection = Connection(port)
        for kind, target in requests(seed):
            began_s = time.perf_counter()
            if began_s > end_s:
                return
            status, _ = await connection.get(target)
            statuses[status] += 1
            if status == 200:
                spent.setdefault(kind, []).append(1000 * (time.perf_counter() - began_s))

    async def crowd() -> None:
        end_s = time.perf_counter() + seconds
        await asyncio.gather(*(visitor(seed, end_s) for seed in range(connections)))

    asyncio.run(crowd())
    total = sum(statuses.values())
    rate = total / seconds
    print(f"{connections} connections x {seconds:.0f} s: {rate:.0f} requests/s, statuses {dict(statuses)}")
    print_ms("  all", [ms for times in spent.values() for ms in times])
    for kind, times in spent.items():
        print_ms(f"  {kind}, {len(times)}", times)
    towers = (len(spent.get("new", [])) + len(spent.get("filter", []))) / seconds
    print(f"  of the bare tower's rate: {towers / bare:.2f} by new queries alone, {rate / bare:.2f} by all")


def print_people(port: int, people: int, seconds: float, mean_pause_s: float = 1.0) -> None:
    """Measure `count` people at once, each with a pause of a second on average before the next request."""
    spent: list[float] = []
    statuses: Counter[int] = Counter()

    async def person(seed: int, end_s: float) -> None:
        connection, rng = Connection(port), random.Random(seed)
        for _, target in requests(seed + 500):
            await asyncio.sleep(rng.expovariate(1 / mean_pause_s))
            began_s = time.perf_counter()
            if began_s > end_s:
                return
            status, _ = await connection.get(target)
            statuses[status] += 1
            spent.append(1000 * (time.perf_counter() - began_s))

    async def crowd() -> None:
        end_s = time.perf_counter() + seconds
        await asyncio.gather(*(person(seed, end_s) for seed in range(people)))

    asyncio.run(crowd())
    rate = len(spent) / seconds
    print_ms(
        f"{people} people, pauses of {mean_pause_s:.1f} s: {rate:.0f} requests/s, {dict(statuses)}", spent
    )


def print_slow(port: int, count: int = 50) -> None:
    """Show that clients that send half a request and wait do not delay others."""

    async def scene() -> list[float]:
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
        for _, writer in slow:
            writer.write(b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        spent = await some_searches(port, 100)
        for _, writer in slow:
            writer.transport.abort()
        return spent

    print_ms(f"with {count} clients that never end their request", asyncio.run(scene()))


def print_leaving(port: int, count: int = 500) -> None:
    """Show that clients that disconnect early cost little and do not disturb others."""

    async def leave(number: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /api/search?q=q{number}+leaving HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await asyncio.sleep(0.001)
        writer.transport.abort()

    async def scene() -> list[float]:
        leaving = asyncio.gather(*(leave(number) for number in range(count)))
        spent = await some_searches(port, 100)
        await leaving
        return spent

    print_ms(f"with {count} clients that leave at once", asyncio.run(scene()))


async def some_searches(port: int, count: int) -> list[float]:
    """Return the times of `count` responses. Repeat a request that gets a 503."""
    connection, queries, spent = Connection(port), typed_queries(11), []
    for _ in range(count):
        began_s, status = time.perf_counter(), 503
        while status == 503:
            status, body = await connection.get(f"/api/search?q={quote(next(queries))}")
        assert status == 200, body
        assert json.loads(body)["results"]
        spent.append(1000 * (time.perf_counter() - began_s))
    return spent


def send_many(port: int, connections: int, count: int) -> None:
    """Send `count` requests and ignore the responses."""

    async def visitor(seed: int) -> None:
        connection = Connection(port)
        for (_, target), _ in zip(requests(seed + 1000), range(count // connections), strict=False):
            await connection.get(target)

    async def crowd() -> None:
        await asyncio.gather(*(visitor(seed) for seed in range(connections)))

    asyncio.run(crowd())


def print_ms(name: str, times: list[float]) -> None:
    """Median, 95th and 99th percentile."""
    ordered = sorted(times)
    p95, p99 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.95, 0.99))
    print(f"{name}: p50 {statistics.median(ordered):.2f} ms, p95 {p95:.2f}, p99 {p99:.2f}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
