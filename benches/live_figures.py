"""Check that responses are consistent while a library grows and shrinks, and measure their latency.

    python -m benches.live_figures OUT [--added 10000] [--removed 1000] [--clients 8]

OUT has to be empty. `snapseek serve` runs in one process, eight clients ask it over HTTP, each after a pause
of 20 ms, and a third process adds pictures, folder by folder, and removes some in between. That process notes
which ids each commit leaves, within the commit itself, so that none is missed. An answer is whole when it
names a version that was committed, all its ids were in the library then, and its counts are those of then.
"""

import argparse
import http.client
import json
import multiprocessing
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from PIL import Image

from benches.million_library import address_of, print_machine
from snapseek import Encoder, Library
from snapseek.library.storage.database import Database
from tests.support import tiny_model

FIRST = 2_000
ROUNDS = 20
LIMIT = 60
DEEPEST = 900
PATIENCE_S = 60.0
QUERIES = ("red", "green + blue", "yellow - red", "a white photo", "2:cyan + black", "blue")
SIDES_PX = (32, 24)

States = dict[str, frozenset[int]]


@dataclass(frozen=True)
class Plan:
    """How much is done: pictures at first, added and removed; clients, and the pause before each question.

    A waiting writer continues after a commit only when a response has named its version, so every version is
    seen.
    """

    first: int = FIRST
    added: int = 10_000
    removed: int = 1_000
    rounds: int = ROUNDS
    clients: int = 8
    pause_s: float = 0.02
    waits: bool = False


@dataclass(frozen=True)
class Answer:
    """What a client got: the state that it names, what it counts, which pictures, after how long."""

    version: str
    total: int
    count: int
    ids: tuple[int, ...]
    took_ms: float


@dataclass(frozen=True)
class Run:
    """All answers, all states, what went wrong, and how long the writer took."""

    answers: list[Answer]
    states: States
    errors: list[str]
    took_s: float

    def faults(self) -> list[str]:
        """What is wrong with the answers, and all errors."""
        return self.errors + [fault for answer in self.answers if (fault := fault_of(answer, self.states))]


def main() -> None:
    parser = argparse.ArgumentParser(description="Search a library while it changes.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--added", type=int, default=Plan.added)
    parser.add_argument("--removed", type=int, default=Plan.removed)
    parser.add_argument("--clients", type=int, default=Plan.clients)
    given = parser.parse_args()
    print_machine()
    plan = Plan(added=given.added, removed=given.removed, clients=given.clients)
    run = search_while_changing(given.out, plan)
    times = [answer.took_ms for answer in run.answers]
    p50, p99 = np.percentile(times, [50, 99])
    faults = run.faults()
    print(
        f"{plan.added} pictures added to {plan.first} and {plan.removed} removed in {run.took_s:.1f} s, "
        f"{len(run.states)} states, {len({answer.version for answer in run.answers})} of them seen"
    )
    print(
        f"{len(run.answers)} answers to {plan.clients} clients: p50 {p50:.1f} ms, p99 {p99:.1f} ms, ", end=""
    )
    print(f"longest {max(times):.1f} ms; {len(faults)} faults")
    print("\n".join(faults[:10]))


_STOPPED = "stopped; "
"""Begins what a server says that was stopped while it followed its folders."""


def search_while_changing(out: Path, plan: Plan) -> Run:
    """Make a library in the empty folder `out`, serve it, change it, search it all the while."""
    model = tiny_model.write_tiny_model(out / "model")
    write_pictures(out / "first", plan.first, seed=0)
    for number in range(plan.rounds):
        write_pictures(out / f"round {number}", plan.added // plan.rounds, seed=number + 1)
    Library.build(out / "first", out / "library", encoder=Encoder.load(model))
    command = [sys.executable, "-m", "snapseek", "serve", str(out / "library"), "--port", "0"]
    said: list[str] = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            run = ask_and_change(address_of(server, said), out, plan)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()  # before its output is closed
    run.errors.extend(line for line in said if not line.startswith(_STOPPED))
    return run


def ask_and_change(address: str, out: Path, plan: Plan) -> Run:
    answers: list[Answer] = []
    errors: list[str] = []
    over = threading.Event()
    clients = [
        threading.Thread(target=ask_on, args=(address, seed, plan.pause_s, over, answers, errors))
        for seed in range(plan.clients)
    ]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    writer = context.Process(target=change, args=(out, plan, theirs))
    for thread in clients:
        thread.start()
    started = time.perf_counter()
    try:
        writer.start()
        theirs.close()
        confirm_versions(ours, answers, errors)
        writer.join()
        took_s = time.perf_counter() - started
        kept = json.loads((out / "states.json").read_text())
        is_answered(list(kept)[-1], answers, errors)
    finally:
        over.set()
        for thread in clients:
            thread.join()
    if writer.exitcode != 0:
        errors.append(f"the writer ended with {writer.exitcode}")
    return Run(answers, {version: frozenset(ids) for version, ids in kept.items()}, errors, took_s)


def confirm_versions(writer: Connection, answers: list[Answer], errors: list[str]) -> None:
    """Confirm to a waiting writer that its version was served, until the writer has ended."""
    with suppress(EOFError, BrokenPipeError), writer:
        while True:
            writer.send(is_answered(writer.recv(), answers, errors))


def is_answered(version: str, answers: list[Answer], errors: list[str]) -> bool:
    """Wait for an answer of that version; that none comes is an error."""
    deadline_s = time.monotonic() + PATIENCE_S
    while all(answer.version != version for answer in answers):
        if time.monotonic() > deadline_s:
            errors.append(f"no answer named version {version} within {PATIENCE_S:.0f} s of its commit")
            return False
        time.sleep(0.005)
    return True


def write_pictures(folder: Path, count: int, seed: int) -> None:
    """`count` small pictures of one colour with a corner of another."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number, (ground, corner) in enumerate(rng.integers(0, 256, (count, 2, 3)).tolist()):
        picture = Image.new("RGB", SIDES_PX, tuple(ground))
        picture.paste(tuple(corner), (0, 0, 8, 8))
        picture.save(folder / f"{seed}-{number}.png", compress_level=1)


def ask_on(
    address: str,
    seed: int,
    pause_s: float,
    over: threading.Event,
    answers: list[Answer],
    errors: list[str],
) -> None:
    """Ask until it is over: words mostly, sometimes a page of all pictures."""
    rng = random.Random(seed)
    with closing(http.client.HTTPConnection(address, timeout=PATIENCE_S)) as connection:
        while not over.wait(pause_s):
            is_page = rng.random() < 0.2
            target = (
                f"/api/items?offset={rng.randrange(DEEPEST)}" if is_page else _search(rng.choice(QUERIES))
            )
            try:
                answers.append(_answer(connection, f"{target}&limit={LIMIT}"))
            except Exception as error:  # whatever it is, it is an answer that a user did not get
                errors.append(f"{target}: {type(error).__name__} {error}")
                connection.close()


def _search(query: str) -> str:
    return f"/api/search?q={quote(query)}"


def _answer(connection: http.client.HTTPConnection, target: str) -> Answer:
    started = time.perf_counter()
    connection.request("GET", target)
    reply = connection.getresponse()
    body = reply.read()
    took_ms = 1000 * (time.perf_counter() - started)
    if reply.status != 200:
        raise RuntimeError(f"{reply.status} {body[:200]!r}")
    answer: dict[str, Any] = json.loads(body)
    ids = tuple(found["id"] for found in answer["results"])
    return Answer(answer["index"]["version"], answer["total"], answer["index"]["count"], ids, took_ms)


def fault_of(answer: Answer, states: States) -> str | None:
    """Return what is wrong with a response, or None if it is of one version."""
    ids = states.get(answer.version)
    if ids is None:
        return f"version {answer.version} was never committed"
    if len(set(answer.ids)) < len(answer.ids):
        return f"a picture twice in one answer of {answer.version}"
    if not ids.issuperset(answer.ids):
        return f"pictures {sorted(set(answer.ids) - ids)[:5]} were not in {answer.version}"
    if {answer.total, answer.count} != {len(ids)}:
        return f"{answer.total} and {answer.count} counted in {answer.version}, which had {len(ids)}"
    return None


def change(out: Path, plan: Plan, asker: Connection) -> None:
    """Add a folder, remove some pictures, and so on; the states are in states.json in the end."""
    states: dict[str, list[int]] = {}
    library = Library.open(out / "library")
    rng = random.Random(plan.added)
    committed = partial(wait_until_seen, asker) if plan.waits else lambda version: None
    try:
        with noting(states, committed):
            note_state(library, states)
            committed(library.version)
            for number in range(plan.rounds):
                library.add(out / f"round {number}")
                alive = states[library.version]
                library.remove(rng.sample(alive, plan.removed // plan.rounds))
    finally:
        (out / "states.json").write_text(json.dumps(states))


def note_state(library: Library, states: dict[str, list[int]]) -> None:
    """The state before the first commit."""
    hits = library.browse(len(library))
    states[hits.version] = [hit.id for hit in hits]


def wait_until_seen(asker: Connection, version: str) -> None:
    """Wait until a response has that version. Raises TimeoutError if none comes."""
    asker.send(version)
    if not asker.recv():
        raise TimeoutError(f"version {version} was not seen")


@contextmanager
def noting(states: dict[str, list[int]], committed: Callable[[str], None]) -> Iterator[None]:
    """Each commit of this process notes what it leaves, before anybody sees it; `committed` comes after."""
    transaction: Callable[[Database], Any] = Database.transaction

    @contextmanager
    def noted(catalogue: Database) -> Iterator[None]:
        with transaction(catalogue):
            yield
            version = catalogue.settings.all()["version"]
            states[version] = sorted(_ids(catalogue))
        committed(version)

    Database.transaction = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        Database.transaction = transaction  # type: ignore[method-assign]


def _ids(catalogue: Database) -> set[int]:
    """The ids of the living rows, read from the files of the shards themselves."""
    directory = catalogue._path.parent / "shards"
    dead = catalogue.shards.tombstones()
    found: set[int] = set()
    for shard in catalogue.shards.all():
        table = pa.ipc.open_file(pa.memory_map(str(directory / f"{shard.stem}.arrow"))).read_all()
        found |= set(table.column("id").to_pylist()) - set(map(int, dead.get(shard.stem, ())))
    return found


if __name__ == "__main__":
    main()
