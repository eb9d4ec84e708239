"""Compare replicas on Ray Serve with plain `snapseek serve` processes, behind the same router.

    python -m benches.ray_serve [--partitions 2] [--replicas 2] [--rounds 30]

Both serve the same parts of the demo pictures at the same time, and get queries in turns, so that both see
the same load of the machine. Then one replica of Serve is killed (SIGKILL) while queries go on.
"""

import argparse
import math
import os
import re
import secrets
import signal
import statistics
import tempfile
import time
from pathlib import Path

from benches.million_library import print_machine
from benches.replica_kills import QUERIES, Server, split_demo, wait_until_ready
from snapseek.cluster.ray_serve import ServeOptions, served_partitions
from snapseek.collection import Collection, create_collection
from snapseek.collection.collection import TOKEN_VARIABLE
from snapseek.models import Encoder

HITS = 60
MAX_BACK_S = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partitions", type=int, default=2)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=30, help="of all queries")
    given = parser.parse_args()
    print_machine()
    token = os.environ[TOKEN_VARIABLE] = secrets.token_urlsafe()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        libraries = split_demo(folder, given.partitions)
        create_collection(folder / "libraries.json", [[str(library)] for library in libraries])
        start = time.monotonic()
        servers = [[Server(library) for _ in range(given.replicas)] for library in libraries]
        flat = [server for replicas in servers for server in replicas]
        try:
            wait_until_ready(flat)
            print(f"plain: started in {time.monotonic() - start:.1f} s")
            create_collection(folder / "plain.json", [[one.address for one in row] for row in servers])
            options = ServeOptions(token, given.replicas, cpus=0.01)
            start = time.monotonic()
            with served_partitions(folder / "libraries.json", folder / "ray.json", options):
                print(f"Ray Serve: started in {time.monotonic() - start:.1f} s, with Ray")
                compare(folder, given.rounds)
                _print_memory("plain replica", [one.process.pid for one in flat])
                for kind in ("ServeReplica", "ServeController", "HAProxyManager"):
                    _print_memory(kind, _pids(rf"ray::{kind}"))
                kill_one(folder / "ray.json")
        finally:
            for server in flat:
                server.stop()


def compare(folder: Path, rounds: int) -> None:
    """Send the queries to both in turns, and print how long they took."""
    encoder = Encoder.load("starter")
    both = {name: Collection.open(folder / f"{name}.json", encoder=encoder) for name in ("plain", "ray")}
    times: dict[str, list[float]] = {name: [] for name in both}
    for _ in range(rounds):
        for query in QUERIES:
            for name, collection in both.items():
                start = time.perf_counter()
                hits = collection.search(query, HITS)
                times[name].append(1000 * (time.perf_counter() - start))
                assert not (hits.partitions and hits.partitions.missing), hits.partitions
    for name, found in times.items():
        p99 = sorted(found)[math.ceil(0.99 * len(found)) - 1]
        print(f"{name}: {len(found)} queries, p50 {statistics.median(found):.1f} ms, p99 {p99:.1f} ms")


def kill_one(manifest: Path) -> None:
    """Kill a replica of Serve, and query until it is back."""
    collection = Collection.open(manifest, encoder=Encoder.load("starter"))
    before = _pids("ray::ServeReplica")
    os.kill(before[0], signal.SIGKILL)
    start, answers, partial = time.monotonic(), 0, 0
    while len(_pids("ray::ServeReplica")) < len(before) or _pids("ray::ServeReplica") == before:
        hits = collection.search(QUERIES[answers % len(QUERIES)], HITS)
        answers += 1
        partial += bool(hits.partitions and hits.partitions.missing)
        if time.monotonic() - start > MAX_BACK_S:
            break
    took_s = time.monotonic() - start
    print(f"killed: {answers} answers, {partial} without a partition; the replica was back in {took_s:.1f} s")


def _pids(pattern: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if re.match(pattern, path.read_bytes().decode(errors="replace")):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return sorted(found)


def _print_memory(name: str, pids: list[int]) -> None:
    """Print the mean memory of processes: resident, and with shared pages divided by their users."""
    means = []
    for field in ("Rss", "Pss"):
        texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
        sizes = [int(found[1]) for text in texts if (found := re.search(rf"\n{field}: +(\d+) kB", text))]
        means.append(statistics.mean(sizes) / 1024 if sizes else 0.0)
    print(f"{name}: {len(pids)} processes, resident {means[0]:.0f} MB, proportional {means[1]:.0f} MB")


if __name__ == "__main__":
    main()
