"""How long a sync takes: many tiny pictures, nothing changed, then some.

    .venv/bin/python -m benches.sync_figures --count 100000
    .venv/bin/python -m benches.sync_figures --count 10000 --sidecars 1000

The model is the tests' tiny one: what is measured is all but the model. Pictures are 8 x 8 PNG files, 1,000
to a folder. Each line tells what `Library.sync` did, in seconds, and how many pictures it embedded. With
`--sidecars` each picture has an XMP sidecar, and that number of them is changed, then some removed and added.
"""

import argparse
import json
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
_XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{rating}">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">picture {number}</rdf:li></rdf:Alt></dc:description>
<dc:subject><rdf:Bag><rdf:li>{tag}</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta>
"""


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
    facts = ("added", "updated", "moved", "described", "removed", "unchanged")
    counts = ", ".join(f"{getattr(report, fact)} {fact}" for fact in facts)
    print(f"{name:50} {seconds:7.2f} s   {embedded} embedded   ({counts})", flush=True)


def main() -> None:
    """Make the pictures, index them, sync them."""
    parser = argparse.ArgumentParser(description="Measure sync.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--sidecars", type=int, help="change this number of sidecars instead of pictures")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="snapseek-sync-"))
    try:
        if options.sidecars is None:
            measure(directory, options.count)
        else:
            measure_sidecars(directory, options.count, options.sidecars)
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


def measure_sidecars(directory: Path, count: int, changed: int) -> None:
    """Print the figures of sidecars that change: all ids and vectors have to stay."""
    folder = directory / "pictures"
    for number in range(count):
        paint(place_of(folder, number), number)
        write_sidecar(folder, number, "first")
    library = Library.build(
        folder, directory / "l", encoder=Encoder.load(write_tiny_model(directory / "model"))
    )
    before = ids_and_vectors(library)
    timed("nothing changed", library)
    numbers = random.Random(0).sample(range(count), changed + changed // 5)
    for number in numbers[:changed]:
        write_sidecar(folder, number, "second")
    timed(f"{changed} sidecars changed", library)
    found = len(library.search("", where="tag:second", limit=1000))
    for number in numbers[changed:]:
        sidecar_of(folder, number).unlink()
    timed(f"{changed // 5} sidecars removed", library)
    for number in numbers[changed:]:
        write_sidecar(folder, number, "third")
    timed(f"{changed // 5} sidecars added", library)
    is_same = ids_and_vectors(library) == before
    print(f"ids and vectors {'equal' if is_same else 'DIFFER'}; tag:second finds {found} of the first 1000")
    print(f"verify: {len(library.verify())} problems")


def sidecar_of(folder: Path, number: int) -> Path:
    """Return the path of the sidecar of a picture."""
    path = place_of(folder, number)
    return path.with_name(f"{path.name}.xmp")


def write_sidecar(folder: Path, number: int, tag: str) -> None:
    """Write a sidecar as photo programs do, with a rating, a caption and a tag."""
    text = _XMP.format(tag=tag, number=number, rating=1 + number % 5)
    sidecar_of(folder, number).write_text(text, encoding="utf-8")


def ids_and_vectors(library: Library) -> dict[str, tuple[int, bytes]]:
    """Return id and vector of each picture by its address."""
    library.refresh()
    table = library.info().path.parent / "ids.json"
    library.export(table)
    rows = json.loads(table.read_text(encoding="utf-8"))
    table.unlink()
    return {row["uri"]: (row["id"], library.vector(row["id"]).tobytes()) for row in rows}


def timed(name: str, library: Library) -> None:
    """One sync, with the model in memory."""
    began_s, processor_s = time.perf_counter(), time.process_time()
    report = library.sync()
    seconds, processor_s = time.perf_counter() - began_s, time.process_time() - processor_s
    print_report(f"{name} ({processor_s:.2f} s of processor)", seconds, report)


if __name__ == "__main__":
    main()
