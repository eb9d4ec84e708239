"""Measure removing pictures from a large library, refreshing a reader, and compacting.

    .venv/bin/python -m benches.compact_figures target/million/library target/million/model [--memory 520MB]

Works on a copy next to the library. "refresh" is how long a reader keeps returning the previous version after
a commit; no query waits for it.
"""

import argparse
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from snapseek import Encoder, Library

T = TypeVar("T")


def main() -> None:
    """Copy, remove a hundredth, compact."""
    parser = argparse.ArgumentParser(description="Measure removing and compacting.")
    parser.add_argument("library", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--memory", help="bound of the new file of vectors")
    given = parser.parse_args()
    copy = given.library.with_name(f"{given.library.name}-copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(given.library, copy)
    try:
        measure(copy, Encoder.load(given.model), given.memory)
    finally:
        shutil.rmtree(copy)


def measure(path: Path, encoder: Encoder, memory: str | None) -> None:
    """Print the figures."""
    library = timed("open", lambda: Library.open(path, encoder=encoder))
    reader = Library.open(path, encoder=encoder)
    step = len(library) // 15
    ids = [hit.id for part in range(15) for hit in library.browse(1000, offset=part * step)]
    timed(f"remove {len(ids)} of {len(library)}", lambda: library.remove(ids))
    timed("refresh", reader.refresh)
    before = answers(reader)
    report = timed("compact", lambda: library.compact(memory=memory))
    print(f"{report}", flush=True)
    timed("refresh", reader.refresh)
    same = [len(old & new) / 10 for old, new in zip(before, answers(reader), strict=True)]
    print(f"exact ten best that stayed: {sum(same) / len(same):.3f} of 100 queries")
    print(f"verify: {len(timed('verify', library.verify))} problems")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{library.info().size_bytes / 1e6:.0f} MB; peak of resident memory {peak_mb:.0f} MB")


def answers(library: Library) -> list[set[int]]:
    """The ten best of some queries, exactly."""
    return [{hit.id for hit in library.search(f"q{number}", 10, exact=True)} for number in range(100)]


def timed(name: str, work: Callable[[], T]) -> T:
    """Do it and print how long it took."""
    began_s = time.perf_counter()
    result = work()
    print(f"{name:28} {time.perf_counter() - began_s:8.2f} s", flush=True)
    return result


if __name__ == "__main__":
    main()
