"""How long a sync takes: many tiny pictures, nothing changed, then some.

    .venv/bin/python -m benches.sync_figures --count 100000

The model is the tests' tiny one: what is measured is all but the model. Pictures are 8 x 8 PNG files, 1,000
to a folder. Each line tells what `Library.sync` did, in seconds, and how many pictures it embedded.
"""

import argparse
import random
import resource
import shutil
import tempfile
import time
from pathlib import Path

from PIL import Image

from snapseek import Encoder, Library
from snapseek.library import SyncReport
from tests.support.tiny_model import write_tiny_model

FOLDER_FILES = 1000


def paint(path: Path, number: int, side_px: int = 8) -> None:
    """A picture like no other, by its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = random.Random(number)
    Image.frombytes("RGB", (side_px, side_px), chance.randbytes(3 * side_px**2)).save(path)


def place_of(folder: Path, number: int) -> Path:
    """Where the picture of that number lies."""
    return folder / f"{number // FOLDER_FILES:04}" / f"{number:07}.png"


def change(folder: Path, count: int) -> None:
    """A hundredth of the pictures each: added, removed, moved, changed."""
    changed = random.Random(0).sample(range(count), 3 * count // 100)
    part = count // 100
    for number in range(count, count + part):
        paint(place_of(folder, number), number)
    for number in changed[:part]:
        place_of(folder, number).unlink()
    (folder / "moved").mkdir()
    for number in changed[part : 2 * part]:
        place_of(folder, number).rename(folder / "moved" / f"{number}.png")
    for number in changed[2 * part :]:
        paint(place_of(folder, number), -number, side_px=9)


def print_report(name: str, seconds: float, report: SyncReport) -> None:
    """Print a line."""
    embedded = report.added + report.updated + report.failed
    facts = ("added", "updated", "moved", "removed", "unchanged")
    counts = ", ".join(f"{getattr(report, fact)} {fact}" for fact in facts)
    print(f"{name:22} {seconds:7.2f} s   {embedded} embedded   ({counts})", flush=True)


def main() -> None:
    """Make the pictures, index them, sync them."""
    parser = argparse.ArgumentParser(description="Measure sync.")
    parser.add_argument("--count", type=int, default=100_000)
    count = parser.parse_args().count
    directory = Path(tempfile.mkdtemp(prefix="snapseek-sync-"))
    try:
        measure(directory, count)
    finally:
        shutil.rmtree(directory)


def measure(directory: Path, count: int) -> None:
    """Print the figures."""
    folder = directory / "pictures"
    for number in range(count):
        paint(place_of(folder, number), number)
    encoder = Encoder.load(write_tiny_model(directory / "model"))
    began_s = time.perf_counter()
    library = Library.build(folder, directory / "l", encoder=encoder)
    assert library.report is not None
    print_report("first index", time.perf_counter() - began_s, library.report)
    for _ in range(3):
        timed("nothing changed", library)
    change(folder, count)
    timed("1 % of each changed", library)
    timed("nothing changed", library)
    problems = library.verify()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"verify: {len(problems)} problems; peak {peak_mb:.0f} MB")


def timed(name: str, library: Library) -> None:
    """One sync, with the model in memory."""
    began_s = time.perf_counter()
    report = library.sync()
    print_report(name, time.perf_counter() - began_s, report)


if __name__ == "__main__":
    main()
