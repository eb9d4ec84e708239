"""A server in its own process, and the browser to open it with: for tests and benchmarks."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from snapseek.collection import create_collection
from snapseek.library import Library

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AS_COLLECTION = bool(os.environ.get("SNAPSEEK_BROWSER_COLLECTION"))
"""Whether the browser tests run against a collection: `make e2e-collection`."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def serving(
    library: Path,
    program: str = "snapseek",
    options: Sequence[str] = (),
    *,
    is_split: bool = AS_COLLECTION,
) -> Iterator[str]:
    """Serve the library while the block runs; yield the address. `program` is a module like `snapseek`.

    With `is_split` its pictures are in two partitions of a collection; by default with
    SNAPSEEK_BROWSER_COLLECTION in the environment.
    """
    if is_split and library.is_dir():
        info = Library.open(library).info()
        trusted = [info.model, *map(str, info.folders)]  # nobody has confirmed the copies
        options = [*options, *(f"--allow-root={path}" for path in trusted if Path(path).is_dir())]
        library = as_collection(library)
    with running([program, "serve", str(library), "--no-watch", *options]) as address:
        yield address


def as_served(library: Library) -> Library:
    """Return what `serving` serves of a library that it serves: itself, or the collection of its pictures."""
    return Library.open(as_collection(library.info().path)) if AS_COLLECTION else library


def served_libraries(library: Path) -> list[Path]:
    """Return the libraries whose pictures `serving` serves: this one, or the partitions of the collection."""
    return _parts(library) if AS_COLLECTION else [library]


def as_collection(library: Path) -> Path:
    """Return the manifest of two copies of a library, each with every second pair of pictures.

    Pictures 1 and 2 are in the first one, so that they keep their ids.
    """
    manifest = library.with_name(f"{library.name}.collection.json")
    if not manifest.exists():
        parts = _parts(library)
        for number, part in enumerate(parts):
            shutil.copytree(library, part)
            half = Library.open(part)
            half.remove([hit.id for hit in half.browse(10**6) if (hit.id - 1) // 2 % 2 != number])
        create_collection(manifest, [[str(part)] for part in parts])
    return manifest


def _parts(library: Path) -> list[Path]:
    return [library.with_name(f"{library.name}.{part}") for part in ("one", "two")]


@contextmanager
def running(arguments: Sequence[str]) -> Iterator[str]:
    """Run a module with arguments that make it serve a page, while the block runs; yield the address."""
    port = [] if any(argument.startswith("--port") for argument in arguments) else ["--port", "0"]
    command = [sys.executable, "-m", *arguments, *port]
    own = {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    }  # tests have programs, too
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **own})
    assert process.stderr is not None
    try:
        address = None
        for line in process.stderr:
            if address := re.search(r"http://\S+", line):
                break
        assert address, "the server said no address"
        yield address.group().rstrip("/")
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode in (0, -15, 143)
