"""Kill the servers of partitions while a router answers, and count what fails.

    python -m benches.replica_kills [--partitions 2] [--replicas 2] [--seconds 60] [--clients 4]

Each replica is a `snapseek serve` process over a part of the demo pictures. Every few seconds one is killed
(SIGKILL) and started again at the same port, at most one of a partition at a time. The router runs here.
"""

import argparse
import math
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

from benches.million_library import print_machine
from snapseek.collection import Collection, create_collection
from snapseek.errors import SnapseekError
from snapseek.library import Library
from snapseek.library.paths import DEMO_PICTURES
from snapseek.models import Encoder
from snapseek.server.run import open_port

QUERIES = ("a dog", "two boats", "a red flower", "mountains - snow", "a bridge at night", "food on a table")
_RESTART_S = 1.5
_READY_S = 60.0


class Server:
    """One replica, which can be killed and started again."""

    def __init__(self, library: Path) -> None:
        self.library = library
        with open_port("127.0.0.1", 0) as listener:
            self.port = int(listener.getsockname()[1])
        self.process = self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "snapseek", "serve", str(self.library), "--no-watch"]
        return subprocess.Popen([*command, "--port", str(self.port)], stderr=subprocess.DEVNULL)

    def restart(self) -> None:
        """Kill the process, wait a moment, and start it again."""
        self.stop()
        time.sleep(_RESTART_S)
        self.process = self.start()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partitions", type=int, default=2)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=4)
    given = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        libraries = split_demo(Path(folder), given.partitions)
        servers = [[Server(library) for _ in range(given.replicas)] for library in libraries]
        try:
            wait_until_ready([server for replicas in servers for server in replicas])
            manifest = Path(folder) / "collection.json"
            create_collection(manifest, [[server.address for server in replicas] for replicas in servers])
            run(Collection.open(manifest, encoder=Encoder.load("starter")), servers, given)
        finally:
            for replicas in servers:
                for server in replicas:
                    server.stop()


def split_demo(folder: Path, partitions: int) -> list[Path]:
    """Index the demo pictures as that many libraries."""
    encoder = Encoder.load("starter")
    pictures = sorted(path for path in DEMO_PICTURES.rglob("*") if path.is_file())
    found = []
    for part in range(partitions):
        target = folder / f"part-{part}"
        target.mkdir()
        for path in pictures[part::partitions]:
            shutil.copy(path, target)
        found.append(folder / f"part-{part}.snapseek")
        Library.build(target, found[-1], encoder=encoder)
    return found


def wait_until_ready(servers: list[Server]) -> None:
    """Wait until every server accepts connections."""
    deadline = time.monotonic() + _READY_S
    for server in servers:
        while True:
            try:
                with urllib.request.urlopen(f"{server.address}/readyz", timeout=5):
                    break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def run(collection: Collection, servers: list[list[Server]], given: argparse.Namespace) -> None:
    """Send queries while servers are killed; print what came back."""
    stop = threading.Event()
    times: list[float] = []
    partial, failed = [0], [0]
    reasons: Counter[str] = Counter()

    def query() -> None:
        rng = random.Random(threading.get_ident())
        while not stop.is_set():
            start = time.perf_counter()
            try:
                hits = collection.search(rng.choice(QUERIES), 60)
                if hits.partitions is not None and hits.partitions.missing:
                    partial[0] += 1
                    reasons.update(_reason(text) for text in hits.partitions.missing)
            except SnapseekError as error:
                failed[0] += 1
                reasons[str(error)] += 1
            times.append(1000 * (time.perf_counter() - start))

    clients = [threading.Thread(target=query) for _ in range(given.clients)]
    for client in clients:
        client.start()
    kills = kill_in_turn(servers, given.seconds)
    stop.set()
    for client in clients:
        client.join()
    ordered = sorted(times)
    p50, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.99))
    print(
        f"{given.partitions} partitions, {given.replicas} replicas each, {given.seconds:.0f} s: {len(times)} "
        f"queries, {kills} kills, {failed[0]} failed, {partial[0]} without a partition; "
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {ordered[-1]:.0f} ms"
    )
    for reason, count in reasons.most_common(5):
        print(f"  {count} times: {reason}")


def _reason(sentence: str) -> str:
    """Return a sentence about a partition without its name."""
    return sentence.partition(": ")[2]


def kill_in_turn(servers: list[list[Server]], seconds: float) -> int:
    """Kill and restart one replica after another, each once the former one is ready again."""
    rng = random.Random(0)
    end, kills = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        server = rng.choice(rng.choice(servers))
        server.restart()
        kills += 1
        wait_until_ready([server])
    return kills


if __name__ == "__main__":
    main()
