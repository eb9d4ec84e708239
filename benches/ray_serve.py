"""Compare replicas on Ray Serve with plain `snapseek serve` processes, behind the same router.

    python -m benches.ray_serve [--partitions 2] [--replicas 2] [--rounds 30] [--seconds 60]

Both serve the same parts of the demo pictures at the same time, and get queries in turns, so that both see
the same load of the machine. Then one replica of Serve after another is killed (SIGKILL) while queries go on.
"""

import argparse
import math
import os
import random
import re
import secrets
import signal
import statistics
import tempfile
import time
from collections import Counter
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
    parser.add_argument("--seconds", type=float, default=60, help="in which replicas are killed")
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
                kill_in_turn(folder / "ray.json", given.seconds)
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


def kill_in_turn(manifest: Path, seconds: float) -> None:
    """Kill a replica of Serve, query until it is back, and go on with another one."""
    collection = Collection.open(manifest, encoder=Encoder.load("starter"))
    rng, times, partial, backs = random.Random(0), [], 0, []
    reasons: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = _pids("ray::ServeReplica")
        os.kill(rng.choice(before), signal.SIGKILL)
        killed = time.monotonic()
        while not set(_pids("ray::ServeReplica")) - set(before) or _running() < len(before):
            start = time.perf_counter()
            hits = collection.search(rng.choice(QUERIES), HITS)
            times.append(1000 * (time.perf_counter() - start))
            missing = hits.partitions.missing if hits.partitions else ()
            partial += bool(missing)
            reasons.update(missing)
            if time.monotonic() - killed > MAX_BACK_S:
                raise TimeoutError("the replica did not come back")
        backs.append(time.monotonic() - killed)
    p99 = sorted(times)[math.ceil(0.99 * len(times)) - 1]
    print(
        f"{len(backs)} kills: {len(times)} answers, {partial} without a partition, p99 {p99:.1f} ms; a "
        f"replica ran again after {statistics.median(backs):.1f} s, at most {max(backs):.1f} s"
    )
    for reason, count in reasons.most_common(5):
        print(f"  {count} times: {reason}")


def _running() -> int:
    """Return the number of replicas that Serve knows to run."""
    from ray import serve

    deployments = [one for app in serve.status().applications.values() for one in app.deployments.values()]
    return sum(int(one.replica_states.get("RUNNING", 0)) for one in deployments)


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
