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

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
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
def serving(library: Path, program: str = "snapseek", options: Sequence[str] = ()) -> Iterator[str]:
    """Serve the library while the block runs; yield the address. `program` is a module like `snapseek`.

    With SNAPSEEK_BROWSER_COLLECTION in the environment it is served as the only partition of a collection.
    """
    if os.environ.get("SNAPSEEK_BROWSER_COLLECTION") and library.is_dir():
        manifest = library.with_suffix(".json")
        if not manifest.exists():
            create_collection(manifest, [[str(library)]])
        library = manifest
    with running([program, "serve", str(library), "--no-watch", *options]) as address:
        yield address


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
