"""What a collection of 10, 100 and 1,000 partitions would take: a simulation from measured times.

    python -m benches.scale [--queries 20000] [--check]

A query waits for the slowest of its partitions, twice: for their rankings, and for the records of the
winners. The times of a partition are log-normal with the measured median and 95th percentile; a share of the
answers are stragglers, and a share of the replicas fail. `--check` compares the model with the real router
over 2, 4 and 8 stub servers on this machine (benches/router_overhead.py). Figures of 15 million pictures a
partition, of bytes, machines and hours are computed, not measured: docs/SCALING.md marks them so.
"""

import argparse
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benches import router_overhead
from benches.million_library import print_machine
from snapseek.models import Encoder

Times = NDArray[np.float64]


@dataclass(frozen=True)
class Partition:
    """The times of a partition, in ms, and how often it is slow or down."""

    median_ms: float = 3.9
    p95_ms: float = 6.6
    records_ms: float = 0.4
    straggler_share: float = 0.01
    straggler_factor: float = 10.0
    failure_share: float = 0.001
    network_ms: float = 0.3


@dataclass(frozen=True)
class Router:
    """What the router adds for each partition, in ms of one core, and its rules."""

    per_partition_ms: float = 0.03
    base_ms: float = 0.6
    deadline_ms: float = 5000.0
    hedge_factor: float = 1.5
    winners: int = 60


SIZES = {
    "1.5M": Partition(),
    "15M": Partition(median_ms=3.9 * math.sqrt(10), p95_ms=6.6 * math.sqrt(10)),
}
"""A search reads lists in proportion to the root of the rows: the larger partition is computed so."""

BYTES_A_PICTURE = {"vectors": 596, "records and previews": 970, "column indexes": 57}
"""Of docs/VECTORS.md, docs/decisions/folders.md and docs/SEARCH.md at 1.5 million pictures, per picture."""

PICTURES_A_CORE_SECOND = 16.0
"""Embedding with the starter, docs/MODELS.md; models of 512 dimensions take some three times as long."""

BUILD_S_A_MILLION = 37 / 1.5
MACHINE_BYTES = 64 * 2**30
MACHINE_CORES = 16
DOLLARS_AN_HOUR = 0.6


def answer_times(partition: Partition, shape: tuple[int, ...], rng: np.random.Generator) -> Times:
    """Return the times of single answers; infinity for a replica that is down."""
    sigma = math.log(partition.p95_ms / partition.median_ms) / 1.645
    times = rng.lognormal(math.log(partition.median_ms), sigma, shape)
    times[rng.random(shape) < partition.straggler_share] *= partition.straggler_factor
    times[rng.random(shape) < partition.failure_share] = np.inf
    return times + partition.network_ms


def query_times(
    partition: Partition, router: Router, count: int, queries: int, *, hedged: bool, seed: int = 0
) -> tuple[Times, float]:
    """Return the time of each query, and the share of queries that lack a partition."""
    rng = np.random.default_rng(seed)
    times = answer_times(partition, (queries, count), rng)
    hedge_ms = router.hedge_factor * partition.p95_ms
    if hedged:
        times = np.minimum(times, hedge_ms + answer_times(partition, (queries, count), rng))
    missing = np.isinf(times).any(axis=1).mean()
    slowest = np.minimum(times, router.deadline_ms).max(axis=1)
    with_winners = min(count, router.winners)
    reads = replace(
        partition, median_ms=partition.records_ms, p95_ms=2 * partition.records_ms, failure_share=0.0
    )
    records = answer_times(reads, (queries, with_winners), rng)
    if hedged:
        records = np.minimum(records, hedge_ms + answer_times(reads, (queries, with_winners), rng))
    work = router.base_ms + router.per_partition_ms * (count + with_winners)
    return slowest + records.max(axis=1) + work, float(missing)


def tree_times(partition: Partition, router: Router, count: int, queries: int) -> tuple[Times, float]:
    """Return the same for routers over routers, each of the root of the partitions."""
    fan = math.ceil(math.sqrt(count))
    below, _ = query_times(partition, router, fan, queries, hedged=True)
    as_partition = replace(
        partition,
        median_ms=float(np.median(below)),
        p95_ms=float(np.percentile(below, 95)),
        straggler_share=0.0,
        failure_share=0.0,
    )
    return query_times(as_partition, router, fan, queries, hedged=True, seed=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=4000)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    print_machine()
    print_latencies(given.queries)
    print_sizes()
    if given.check:
        print_check()


def print_latencies(queries: int) -> None:
    """Print the table of simulated times."""
    print(
        "| partitions | of | plain p50, p99 ms | partial | hedged p50, p99 ms | partial | tree p50, p99 ms |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, partition in SIZES.items():
        for count in (10, 100, 1000):
            cells = []
            for hedged in (False, True):
                times, missing = query_times(partition, Router(), count, queries, hedged=hedged)
                cells += [_pair(times), f"{missing:.2%}"]
            tree = _pair(tree_times(partition, Router(), count, queries)[0]) if count > 10 else ""
            print(f"| {count:,} | {name} | {' | '.join(cells)} | {tree} |")


def print_sizes() -> None:
    """Print the computed table of bytes, machines and hours."""
    print("| pictures | partitions of 15M | GB | machines, two replicas | core hours to embed | $ an hour |")
    print("|---|---|---|---|---|---|")
    for pictures in (10**8, 10**9, 5 * 10**9):
        size = pictures * sum(BYTES_A_PICTURE.values())
        resident = 2 * pictures * (BYTES_A_PICTURE["vectors"] + BYTES_A_PICTURE["column indexes"])
        machines = math.ceil(resident / (0.75 * MACHINE_BYTES))
        core_hours = pictures / PICTURES_A_CORE_SECOND / 3600
        print(
            f"| {pictures:,} | {math.ceil(pictures / 15e6)} | {size / 1e9:,.0f} | {machines:,} | "
            f"{core_hours:,.0f} | {machines * DOLLARS_AN_HOUR:,.0f} |"
        )


def print_check() -> None:
    """Print what the real router takes over stub servers, and what the model says."""
    encoder = Encoder.load("starter")
    given = argparse.Namespace(queries=300, median_ms=3.9, p95_ms=6.6, processes=1, realtime=False)
    print("| partitions | real p50, p99 ms | simulated p50, p99 ms |")
    print("|---|---|---|")
    quiet = Partition(straggler_share=0.0, failure_share=0.0, network_ms=0.0)
    for count in (2, 4, 8):
        _, totals, _ = router_overhead.with_stubs(count, encoder, given)
        times, _ = query_times(quiet, Router(), count, 4000, hedged=False)
        print(f"| {count} | {_pair(np.array(totals))} | {_pair(times)} |")


def _pair(times: Times) -> str:
    return f"{np.percentile(times, 50):.1f}, {np.percentile(times, 99):.1f}"


if __name__ == "__main__":
    main()
