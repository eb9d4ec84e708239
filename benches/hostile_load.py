"""Hostile bodies and silent connections against a server in a process of its own, over the loopback only.

    python -m benches.hostile_load LIBRARY [--only bodies|connections] [--seconds 60]

Bodies: every kind of `hostile_kinds` is sent with Content-Length and in chunks, by four clients at a time;
then come bodies that never end. Meanwhile another process asks for /healthz every 20 ms. Connections: 200
clients at four addresses search on connections that they keep, and a fifth address holds 1,500 silent ones.
"""

import argparse
import asyncio
import http.client
import multiprocessing
import os
import resource
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event

from benches.hostile_kinds import KINDS, Kind
from benches.million_library import address_of, memory_mb
from snapseek.server.api.request_body import MAX_BODY_BYTES

HOST = "127.0.0.1"
POLL_S = 0.02
IDLE_S = 5
CLIENTS = 4
CHUNK_BYTES = 64 * 2**10
UNFINISHED = 30
SILENT_ADDRESS = "127.0.0.6"
HONEST_ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")


@dataclass
class Health:
    """Times of /healthz in milliseconds."""

    times_ms: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        times = sorted(self.times_ms)
        p99 = times[int(len(times) * 0.99)] if times else 0.0
        return f"/healthz {len(times)} times: p99 {p99:.0f} ms, longest {max(times, default=0):.0f} ms"


def poll(port: int, results: Connection) -> None:
    """Say that it is ready, ask for /healthz until a message comes, then send the times."""
    times: list[float] = []
    connection = http.client.HTTPConnection(HOST, port, timeout=120)
    results.send("ready")
    while not results.poll():
        began = time.perf_counter()
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - began) * 1000 if answer.status == 200 else float("inf"))
        time.sleep(POLL_S)
    results.recv()
    results.send(times)


@contextmanager
def polled(port: int) -> Iterator[Health]:
    """Measure the times of /healthz while this block runs."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    poller = context.Process(target=poll, args=(port, there))
    poller.start()
    here.recv()
    health = Health()
    try:
        yield health
    finally:
        here.send("stop")
        health.times_ms += here.recv()
        poller.join()


def send(port: int, kind: Kind, body: bytes, *, is_chunked: bool) -> int:
    """The status of the answer to one body; 0 if the connection was closed while it was sent."""
    parts = (body[begin : begin + CHUNK_BYTES] for begin in range(0, len(body), CHUNK_BYTES))
    connection = http.client.HTTPConnection(HOST, port, timeout=120)
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused already; the answer may be there
            connection.request(
                "POST", kind.path, parts if is_chunked else body, kind.headers, encode_chunked=is_chunked
            )
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def send_all(port: int, pid: int, kinds: list[Kind]) -> list[str]:
    """Send every kind in both ways; return descriptions of unexpected responses."""
    wrong = []
    with ThreadPoolExecutor(CLIENTS) as pool:
        for kind in kinds:
            body = kind.make()
            for is_chunked in (False, True):
                began = time.perf_counter()
                tasks = [pool.submit(send, port, kind, body, is_chunked=is_chunked) for _ in range(CLIENTS)]
                statuses = Counter(task.result() for task in tasks)
                way = "chunked" if is_chunked else "whole"
                seconds = time.perf_counter() - began
                memory = f"{memory_mb(pid)[1]:.0f} MB"
                print(
                    f"  {kind.name}, {way}, {len(body)} bytes: {dict(statuses)} in {seconds:.2f} s, {memory}"
                )
                if set(statuses) - {*kind.statuses, 503, 0} or (set(statuses) == {0} and len(body) < 2**20):
                    wrong.append(f"{kind.name}, {way}: {dict(statuses)}")
    return wrong


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
RAW = {
    "Content-Length and Transfer-Encoding": b"Content-Length: 5\r\n" + CHUNKED + b"0\r\n\r\n",
    "two Content-Length": b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "101 headers": b"".join(b"X-%d: y\r\n" % number for number in range(101)) + b"\r\n",
    "a header of 64 KB": b"X: " + b"a" * 65_536 + b"\r\n\r\n",
    "chunks of one byte": CHUNKED + b"1\r\n \r\n" * 500_000,
    "chunks with long extensions": CHUNKED + (b"1;" + b"x" * 4000 + b"\r\n \r\n") * 2000,
    "a chunk without an end of its size": CHUNKED + b"0" * 100_000,
    "a long trailer": CHUNKED + b"0\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
}


def send_raw(port: int) -> list[str]:
    """Send malformed requests; return those that were not refused with 400 or a close."""
    wrong = []
    for name, data in RAW.items():
        with socket.create_connection((HOST, port), timeout=60) as connection:
            answer = b""
            with suppress(ConnectionError):
                connection.sendall(b"POST /api/search HTTP/1.1\r\nHost: localhost\r\n" + data)
            with suppress(ConnectionError):
                answer = connection.recv(65_536)
        print(f"  {name}: {answer.split(b' ')[1].decode() if answer else 'closed'}", flush=True)
        if answer and not answer.startswith(b"HTTP/1.1 400"):
            wrong.append(f"{name}: {answer[:40]!r}")
    return wrong


def send_unfinished(port: int, count: int, pid: int) -> None:
    """Begin `count` bodies of which the last byte never comes, and look at the memory."""
    head = (
        f"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_BODY_BYTES}\r\n\r\n".encode()
    )
    body = b'{"q":"' + b"a" * (MAX_BODY_BYTES - 7)
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection((HOST, port))) for _ in range(count)]

        def begin(connection: socket.socket) -> bytes:
            connection.settimeout(45)
            with suppress(OSError):
                connection.sendall(head + body)
            with suppress(OSError):
                return connection.recv(65_536).split(b" ")[1]
            return b"closed"

        with ThreadPoolExecutor(count) as pool:
            tasks = [pool.submit(begin, connection) for connection in connections]
            time.sleep(4)
            print(f"  {count} bodies without an end: {memory_mb(pid)[1]:.0f} MB after four seconds")
            statuses = Counter(task.result().decode() for task in tasks)
    print(f"  their answers: {dict(statuses)}")


def run_bodies(
    port: int, pid: int, kinds: list[Kind] = KINDS, unfinished: int = UNFINISHED
) -> tuple[Health, list[str]]:
    """Send all; return the times of /healthz meanwhile and the unexpected responses."""
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"memory before: {memory_mb(pid)[1]:.0f} MB")
    with polled(port) as alone:
        time.sleep(IDLE_S)
    print(f"before anything hostile: {alone}")
    with polled(port) as health:
        wrong = send_all(port, pid, kinds) + send_raw(port)
        if unfinished:
            send_unfinished(port, unfinished, pid)
    time.sleep(1)
    print(f"memory after: {memory_mb(pid)[1]:.0f} MB")
    print(health)
    return health, wrong


async def hold_silent(port: int, count: int, is_over: Event) -> None:
    """Keep `count` connections open that never send a byte, and reopen those that are closed."""

    async def hold() -> None:
        while not is_over.is_set():
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(HOST, port, local_addr=(SILENT_ADDRESS, 0))
                await reader.read()
                writer.close()
            await asyncio.sleep(1)

    tasks = [asyncio.create_task(hold()) for _ in range(count)]
    while not is_over.is_set():
        await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def silent_process(port: int, count: int, is_over: Event) -> None:
    allow_files()
    asyncio.run(hold_silent(port, count, is_over))


async def ask_honestly(port: int, address: str, number: int, until_s: float, seen: Counter[str]) -> None:
    """Search on one kept connection until then."""
    reader, writer = await asyncio.open_connection(HOST, port, local_addr=(address, 0))
    while time.monotonic() < until_s:
        try:
            writer.write(
                f"GET /api/search?q=red&offset={number % 2} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            seen["reset"] += 1
            return
        seen[head.split(b" ")[1].decode()] += 1
        await asyncio.sleep(1 + number % 10 / 10)
    writer.close()
    seen["served to the end"] += 1


def run_connections(port: int, seconds: float, honest: int = 200, silent: int = 1500) -> Counter[str]:
    """Search with honest clients next to silent connections; count the outcomes."""
    allow_files()
    context = multiprocessing.get_context("spawn")
    is_over = context.Event()
    attacker = context.Process(target=silent_process, args=(port, silent, is_over))
    attacker.start()
    time.sleep(3)
    seen: Counter[str] = Counter()

    async def everybody() -> None:
        until_s = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for number in range(honest):
                address = HONEST_ADDRESSES[number % len(HONEST_ADDRESSES)]
                group.create_task(ask_honestly(port, address, number, until_s, seen))
                await asyncio.sleep(0.002)

    try:
        asyncio.run(everybody())
    finally:
        is_over.set()
        attacker.join()
    print(f"{honest} honest connections for {seconds:.0f} s with {silent} silent ones: {dict(seen)}")
    return seen


def allow_files() -> None:
    """Let this process open as many connections as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def served_library(library: Path) -> Iterator[tuple[int, int]]:
    """Serve the library; yield the port and the process id."""
    command = [sys.executable, "-m", "snapseek", "serve", str(library), "--port", "0"]
    log: list[str] = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield int(address_of(server, log).rpartition(":")[2].rstrip("/")), server.pid
        finally:
            server.terminate()
            server.wait()
            print("the server printed:", "".join(log[-60:]) or "nothing")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("library", type=Path)
    parser.add_argument("--only", choices=("bodies", "connections"))
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    wrong: list[str] = []
    with served_library(given.library) as (port, pid):
        if given.only != "connections":
            wrong += run_bodies(port, pid)[1]
        if given.only != "bodies":
            seen = run_connections(port, given.seconds)
            wrong += ["a reset"] if seen["reset"] or seen["served to the end"] != 200 else []
    print(f"wrong: {wrong or 'nothing'}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
