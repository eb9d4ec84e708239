"""Compare our index with its rivals: one run, one set, one query at a time, one thread each.

    python -m benches.clip_like /data/clip
    python -m benches.peers --set /data/clip [--n 150000] [--rivals ours,scann-2176B] [--out DIR]

Each rival is built in a process of its own on all cores (seconds, peak memory), written to DIR/indexes and
kept there for the next run; then all are opened, each in one more process on one thread, and searched in
turns: every query goes once to every setting of every rival, in a new random order, and each times itself.
Text and image queries, recall@10 against the exact answer. With --burst 8 an index answers eight queries
before the next one's turn, so that its own tables are in the caches, as in a server of its own. DIR gets
peers.md, peers.json and, with matplotlib, peers.png. The rivals are in benches/requirements-peers.txt; one
that is not installed is named and left out.
"""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.clip_like import exact
from benches.rivals import RIVALS, Rival
from benches.rivals.contest import KINDS, Answers, ask_all
from benches.rivals.report import Measured, Outcome, write_report
from benches.rivals.rival import version_of
from benches.rivals.worker import Built, K, RivalError, Searcher, build

WARM_QUERIES = 20

# Of the record of a build; an earlier one has no processor time.
RECORD_VERSION = 2


def main() -> None:
    given = parse_arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    n = rows_of(given.set, given.n)
    truth = load_truth(given.set, n, given.out)
    header = describe(given, n)
    print("\n".join(f"{key}: {value}" for key, value in header.items()), flush=True)
    built, absent = build_all(given, n)
    searchers, failed = open_all(built, given, n)
    absent.update(failed)
    try:
        answers = ask_all(searchers, truth, given.queries, given.burst, given.seed)
        outcomes = [
            summarize(searcher, built[name], answers[name], n) for name, searcher in searchers.items()
        ]
    finally:
        for searcher in searchers.values():
            searcher.close()
    print(write_report(given.out, header, outcomes, absent))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure our vector index and its rivals side by side.")
    parser.add_argument("--set", type=Path, required=True, help="folder written by clip_like.py")
    parser.add_argument("--n", type=int, help="use only the first n vectors (default: all)")
    parser.add_argument(
        "--rivals", default=",".join(RIVALS), help="comma-separated (default: all of %(default)s)"
    )
    parser.add_argument("--queries", type=int, default=1000, help="of each kind (default: %(default)s)")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="for building (default: all cores)"
    )
    parser.add_argument("--out", type=Path, default=Path("target/peers"), help="default: %(default)s")
    parser.add_argument("--burst", type=int, default=1, help="queries in a row (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the order of questions")
    parser.add_argument("--processor-time", action="store_true", help="for a machine that is shared")
    parser.add_argument("--rebuild", action="store_true", help="build again what an earlier run left")
    given = parser.parse_args()
    given.rivals = given.rivals.split(",")
    if unknown := set(given.rivals) - set(RIVALS):
        parser.error(f"no such rival: {', '.join(sorted(unknown))}; there are {', '.join(RIVALS)}")
    if not (given.set / "base.npy").exists():
        parser.error(
            f"no base.npy in {given.set}: make the set with `python -m benches.clip_like {given.set}`"
        )
    return given


def rows_of(set_folder: Path, count: int | None) -> int:
    there = len(np.load(set_folder / "base.npy", mmap_mode="r"))
    if count is not None and not K <= count <= there:
        sys.exit(f"--n {count}: expected {K} to {there}, which is what {set_folder} holds")
    return count or there


def load_truth(set_folder: Path, n: int, out: Path) -> dict[str, NDArray[np.int64]]:
    """(queries, k) exact rows of each kind; of a part of the set they are computed once and kept in `out`."""
    base = np.load(set_folder / "base.npy", mmap_mode="r")
    if n == len(base):
        return {kind: np.load(set_folder / f"{kind}_truth.npy")[:, :K] for kind in KINDS}
    kept = out / f"truth-{n}.npz"
    if not kept.exists():
        found = {kind: exact(base[:n], np.load(set_folder / f"{kind}.npy"), k=K) for kind in KINDS}
        np.savez(kept, **found)
    return dict(np.load(kept))


def describe(given: argparse.Namespace, n: int) -> dict[str, str]:
    dim = np.load(given.set / "base.npy", mmap_mode="r").shape[1]
    return {
        "set": f"{n} x {dim} CLIP-like (benches/clip_like.py)",
        "cpu": processor(),
        "threads": f"search 1, build {given.threads} of {os.cpu_count()} cores",
        "queries": f"{given.queries} of each kind, k = {K}, {given.burst} in a row, then the next index",
        "time": f"{'processor' if given.processor_time else 'wall'}, "
        f"GLIBC_TUNABLES={os.environ.get('GLIBC_TUNABLES', '')}",
        "load": f"{os.getloadavg()[0]:.1f} at the start",
        "python": f"{platform.python_version()}, numpy {np.__version__}",
    }


def processor() -> str:
    """The CPU's name and the widest instructions it says it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    parts = (line.partition(":") for line in lines)
    fields = {key.strip(): value.strip() for key, _, value in parts}
    flags = fields.get("flags", fields.get("Features", "")).split()
    wide = [flag for flag in ("avx2", "avx512bw", "asimd") if flag in flags]
    return f"{fields.get('model name', platform.machine())} ({', '.join(wide)})"


def build_all(given: argparse.Namespace, n: int) -> tuple[dict[str, Built], dict[str, str]]:
    """What each build cost, by name, and why the others could not be built."""
    built: dict[str, Built] = {}
    absent: dict[str, str] = {}
    for name in given.rivals:
        try:
            built[name] = build_once(RIVALS[name], given, n)
            print(
                f"built {name}: {built[name].seconds:.1f} s, {built[name].processor_seconds:.1f} s of "
                f"processor time, {built[name].file_bytes / n:.0f} B/vector",
                flush=True,
            )
        except RivalError as error:
            absent[name] = str(error)
            print(f"left out {name}: {error}", flush=True)
    return built, absent


def build_once(rival: Rival, given: argparse.Namespace, n: int) -> Built:
    """Uses what an earlier run with the same version left, when there is one."""
    version = version_of(rival)
    if version is None:
        raise RivalError(f"{rival.distribution} is not installed")
    folder = index_folder(given.out, rival.name, n)
    record = folder.with_suffix(".json")
    wanted = {"version": version, "about": rival.about, "threads": given.threads, "record": RECORD_VERSION}
    if record.exists() and not given.rebuild:
        kept = json.loads(record.read_text(encoding="utf-8"))
        if kept.pop("key") == wanted:
            return Built(**kept)
    cost = build(rival.name, given.set, n, folder, given.threads)
    record.write_text(json.dumps({"key": wanted, **asdict(cost)}), encoding="utf-8")
    return cost


def index_folder(out: Path, name: str, n: int) -> Path:
    return (out / "indexes" / f"{name}-{n}").resolve()


def open_all(
    built: dict[str, Built], given: argparse.Namespace, n: int
) -> tuple[dict[str, Searcher], dict[str, str]]:
    """The opened indexes, warmed; and why the others could not be opened."""
    searchers: dict[str, Searcher] = {}
    failed: dict[str, str] = {}
    for name in built:
        try:
            clock = "process_time" if given.processor_time else "perf_counter"
            searchers[name] = Searcher(name, index_folder(given.out, name, n), given.set, clock)
            for query in range(min(WARM_QUERIES, given.queries)):
                searchers[name].ask("text", query, query % len(RIVALS[name].points))
        except RivalError as error:
            failed[name] = str(error)
    return searchers, failed


def summarize(searcher: Searcher, built: Built, answers: dict[str, Answers], n: int) -> Outcome:
    rival = RIVALS[searcher.name]
    text, image = answers["text"], answers["image"]
    points = tuple(
        Measured(
            label=point.label,
            text_recall=float(text.recall[i].mean()),
            image_recall=float(image.recall[i].mean()),
            text_p50_ms=float(np.median(text.ms[i])),
            text_p95_ms=float(np.percentile(text.ms[i], 95)),
            image_p50_ms=float(np.median(image.ms[i])),
        )
        for i, point in enumerate(rival.points)
    )
    version, size = version_of(rival) or "?", built.file_bytes / n
    return Outcome(rival.name, rival.about, version, size, built, searcher.open_s, *searcher.memory(), points)


if __name__ == "__main__":
    main()
