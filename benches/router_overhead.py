"""What a router adds to its partitions: stub servers replay a delay, the rest of each query is the router.

    python -m benches.router_overhead [--partitions 8 64] [--queries 300] [--median-ms 3.9] [--p95-ms 6.6]
        [--realtime]

Each stub waits as long as a partition of 1.5 million pictures was measured to take (docs/SEARCH.md), and says
in its answer how long it has had the request. The overhead of a query is its time without the longest of
these times in each round. The stubs are processes of their own on the same cores, which counts as overhead,
too; `cpu` is the processor time of the router alone. With --realtime (on Linux, as root) router and stubs run
before all other programs, so that a busy machine measures nearly what a quiet one does.
"""

import argparse
import heapq
import math
import multiprocessing
import os
import random
import re
import selectors
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.million_library import print_machine
from snapseek.collection import Collection, create_collection
from snapseek.collection.frames import Frame
from snapseek.collection.query import PartitionQuery
from snapseek.collection.record_block import record_arrays
from snapseek.library import Term
from snapseek.library.results import Hit
from snapseek.models import Encoder
from snapseek.search_request import INCLUDED
from snapseek.server.run import freeze_objects

DIM = 396
COUNT = 1_500_000
HITS = 60
_ANSWERS = 50
"""Encoded answers that a process of stubs sends with new scores: encoding takes the time of the router."""

_HELD = b"000000.000000"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partitions", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--median-ms", type=float, default=3.9)
    parser.add_argument("--p95-ms", type=float, default=6.6)
    parser.add_argument("--processes", type=int, default=2, help="of stubs")
    parser.add_argument("--realtime", action="store_true", help="run before all other programs (as root)")
    given = parser.parse_args()
    print_machine()
    encoder = Encoder.load("starter")
    print("| partitions | delay p50, p99 ms | total p50, p99 ms | overhead p50, p99 ms | cpu p50, p99 ms |")
    print("|---|---|---|---|---|")
    for count in given.partitions:
        print(_line(count, *with_stubs(count, encoder, given)))


def with_stubs(
    count: int, encoder: Encoder, given: argparse.Namespace
) -> tuple[list[float], list[float], list[float]]:
    """Return what `timed` does for that many stub partitions."""
    context = multiprocessing.get_context("spawn")
    started = []
    for number in range(given.processes):
        own_end, other_end = context.Pipe()
        share = len(range(number, count, given.processes))
        arguments = (other_end, share, encoder.space, given.median_ms, given.p95_ms, number, given.realtime)
        process = context.Process(target=run_stubs, args=arguments, daemon=True)
        process.start()
        started.append((process, own_end))
    try:
        ports = [port for _, pipe in started for port in pipe.recv()]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "collection.json"
            create_collection(path, [[f"http://127.0.0.1:{port}"] for port in ports])
            collection = Collection.open(path, encoder=encoder)
            with _realtime(given.realtime):
                return timed(collection, given.queries)
    finally:
        for process, _ in started:
            process.terminate()
            process.join()


def timed(collection: Collection, queries: int) -> tuple[list[float], list[float], list[float]]:
    """Return the delay, the time and the processor time of each query, in ms."""
    rounds: list[float] = []
    _ask = PartitionQuery._ask

    def counted(self: PartitionQuery, key: object, frames: Any, parse: Any) -> None:
        held: list[float] = []

        def parsed(frame: Frame, member: Any) -> Any:
            held.append(float(frame.fields["held_ms"]))
            return parse(frame, member)

        _ask(self, key, frames, parsed)
        rounds.append(max(held))

    PartitionQuery._ask = counted  # type: ignore[method-assign]
    rng = np.random.default_rng(0)
    delays, totals, processor = [], [], []
    try:
        for number in range(queries + 20):
            if number == 20:
                freeze_objects()  # as a server does when it is warm
            vector = rng.standard_normal(DIM).astype(np.float32)
            rounds.clear()
            start, start_cpu = time.perf_counter(), time.thread_time()
            hits = collection.search(Term(vector), HITS)
            total, cpu = time.perf_counter() - start, time.thread_time() - start_cpu
            assert len(hits) == HITS, hits.partitions
            if number >= 20:
                delays.append(sum(rounds))
                totals.append(1000 * total)
                processor.append(1000 * cpu)
    finally:
        PartitionQuery._ask = _ask  # type: ignore[method-assign]
    return delays, totals, processor


def _line(count: int, delays: list[float], totals: list[float], processor: list[float]) -> str:
    overheads = [total - delay for total, delay in zip(totals, delays, strict=True)]
    cells = [
        f"{_percentile(values, 0.5):.2f}, {_percentile(values, 0.99):.2f}"
        for values in (delays, totals, overheads, processor)
    ]
    return f"| {count} | {' | '.join(cells)} |"


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


class Stub:
    """The connections of one process of stub servers, and the answers that wait for their time."""

    def __init__(self, space: str, median_ms: float, p95_ms: float, seed: int) -> None:
        self.selector = selectors.DefaultSelector()
        self._waiting: list[tuple[float, int, float, socket.socket, dict[str, Any]]] = []
        self._received: dict[socket.socket, bytearray] = {}
        self._random = random.Random(seed)
        self._mu, self._sigma = math.log(median_ms), math.log(p95_ms / median_ms) / 1.645
        self._space = space
        self._rng = np.random.default_rng(seed)
        self._number = 0
        self._encoded: dict[tuple[int, int], list[tuple[bytes, bytes, bytes]]] = {}

    def listen(self) -> int:
        """Open one more server and return its port."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.selector.register(listener, selectors.EVENT_READ, None)
        return int(listener.getsockname()[1])

    def run(self) -> None:
        """Serve until the process is ended."""
        while True:
            wait = max(0.0, self._waiting[0][0] - time.perf_counter()) if self._waiting else 1.0
            for key, _ in self.selector.select(min(wait, 1.0)):
                if key.data is None:
                    accepted, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._received[accepted] = bytearray()
                    self.selector.register(accepted, selectors.EVENT_READ, accepted)
                else:
                    self._read(key.data)
            while self._waiting and self._waiting[0][0] <= time.perf_counter():
                _, _, began, connection, fields = heapq.heappop(self._waiting)
                self._send(connection, began, fields)

    def _read(self, connection: socket.socket) -> None:
        data = connection.recv(1 << 18)
        if not data:
            self.selector.unregister(connection)
            connection.close()
            return
        buffer = self._received[connection]
        buffer += data
        end = buffer.find(b"\r\n\r\n") + 4
        found = _LENGTH.search(buffer)
        if end < 4 or found is None or len(buffer) < end + int(found[1]):
            return
        frame = Frame.decode(bytes(buffer[end:]))
        fields = {**frame.fields, "wanted": frame.arrays.get("ids")}
        buffer.clear()
        began = time.perf_counter()
        is_slow = fields["op"] == "rank"
        delay = self._random.lognormvariate(self._mu, self._sigma) / 1000 if is_slow else 0.0002
        self._number += 1
        heapq.heappush(self._waiting, (began + delay, self._number, began, connection, fields))

    def _send(self, connection: socket.socket, began: float, request: dict[str, Any]) -> None:
        before, middle, after = self._parts(request)
        scores = self._scores(len(middle) // 4).tobytes() if request["op"] == "rank" else middle
        held = b"%013.6f" % (1000 * (time.perf_counter() - began))
        connection.sendall(before.replace(_HELD, held) + scores + after)

    def _parts(self, request: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
        """Return an answer in parts: up to its scores, the scores, and what follows."""
        if request["op"] != "rank":
            return _split(*self._answer(request))
        key = (request["k"], request["records"])
        if key not in self._encoded:
            self._encoded[key] = [_split(*self._answer(request)) for _ in range(_ANSWERS)]
        return self._random.choice(self._encoded[key])

    def _scores(self, count: int) -> NDArray[np.float32]:
        return np.sort(self._rng.uniform(0, 0.3, count).astype(np.float32))[::-1].copy()

    def _answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if request["op"] == "describe":
            facts = {"name": "stub", "model": "starter", "fingerprint": self._space, "dim": DIM, "kinds": {}}
            facts |= {"count": COUNT, "failed": 0, "skipped": {}, "kernel": "avx2", "created": "2026"}
            commit = self._rng.bytes(16).hex()  # each stub is another library
            return facts | {"size_bytes": 1, "next_id": 2 * COUNT, "commit": commit}, {}
        if request["op"] == "rank":
            scores = self._scores(request["k"])
            ids = self._rng.choice(COUNT, request["k"], replace=False).astype(np.int64)
            arrays = {"ids": ids, "scores": scores, **_records(request["records"])}
            return {"count": COUNT, "excluded": 0, "statistics": None}, arrays
        return {}, {"ids": request["wanted"], **_records(len(request["wanted"]))}


def _split(fields: dict[str, Any], arrays: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    body = Frame({**fields, "version": "00000000", "held_ms": _HELD.decode()}, arrays).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
    if "scores" not in arrays:
        return head + body, b"", b""
    before, scores, after = body.partition(arrays["scores"].tobytes())
    return head + before, scores, after


def _records(count: int) -> dict[str, Any]:
    """Return that many records as the arrays of an answer."""
    if not count:
        return {}
    meta = {"name": "a.jpg", "folder": "b", "size_bytes": 1}
    hit = Hit(1, None, "file:///a.jpg", 640, 480, "#808080", b"R" * 450, None, meta=meta)
    return record_arrays([hit] * count, INCLUDED)


@contextmanager
def _realtime(is_wanted: bool) -> Iterator[None]:
    """Run this thread before all other programs, if that is wanted."""
    if is_wanted:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    try:
        yield
    finally:
        if is_wanted:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def run_stubs(
    pipe: Connection, count: int, space: str, median_ms: float, p95_ms: float, seed: int, is_realtime: bool
) -> None:
    """Serve that many partitions."""
    stub = Stub(space, median_ms, p95_ms, seed)
    pipe.send([stub.listen() for _ in range(count)])
    with _realtime(is_realtime):
        stub.run()


if __name__ == "__main__":
    main()
