"""Try a model of a stranger in a child process with limits, before this process loads it.

The rules for graphs and tokenizers bound what can be read from the files. They cannot bound the size of an
intermediate value, or how long an operator runs. So the child loads one tower, and embeds a small and a
larger batch, with limits of memory and of time. It runs once for each content of the files; the verdict is
cached.

    admit(files, "text")    # or ModelError with the reason

What one dry run cannot see: a graph that allocates for one special text, or one special size of a batch.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from cachetools import LRUCache

from snapseek.errors import ModelError
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.probe_cache import has_verdict, load_probe, sha256_of, store_probe, store_verdict
from snapseek.models.hub.resolve import STARTER_FOLDER
from snapseek.models.onnx.graph_rules import check_graph

CPU_S = 30
CPU_S_PER_GIB = 30
"""Processor time of a dry run. An export of ViT-B/32 takes two seconds."""

WALL_FACTOR = 4
"""Time of a dry run as a multiple of its processor time: other programs run, too."""

MEMORY_BYTES = 2 << 30
MEMORY_FACTOR = 4
"""Memory of a dry run beyond that of the interpreter: a fixed part, and a multiple of the files' size."""

MEMORY_SHARE = 0.75
"""Share of the machine's memory that a dry run may use, and that the files of a model may have."""

_TOPIC = "dry run 1"
_SIGNALS_OF_TIME = (9, 24)
"""SIGKILL and SIGXCPU, which end a process at its limit of processor time."""
_MAX_REPLY_CHARACTERS = 300
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate", "MemoryError", "memory allocation of")
_START = "import sys; sys.path[:] = sys.argv[1:]; from snapseek.models.hub.dry_run_child import main; main()"
_UNUSABLE = "unusable"
"""The tower failed within the limits, with an error that loading it here raises, too."""

_LOCK = threading.Lock()
_REFUSALS: LRUCache[str, str] = LRUCache(64)


def admit(files: ModelFiles, tower: str, dim: int = 0) -> None:
    """Check one tower, `text` or `image`, and try it in a child process; nothing if that was done before.

    `dim` is the number of dimensions of the text vectors, for the image tower.

    Raises ModelError if a rule is broken, or if the tower fails, or takes too much time or memory.
    """
    if files.root == STARTER_FOLDER:
        return
    graph = files.text_graph if tower == "text" else files.image_graph
    paths = files.of_text() if tower == "text" else files.of_images()
    if load_probe(_TOPIC, paths):
        return
    check_graph(graph)
    size_bytes = sum(path.stat().st_size for path in paths)
    max_bytes = int(_machine_bytes() * MEMORY_SHARE)
    if size_bytes > max_bytes:
        raise ModelError(
            expected=f"a model of at most {max_bytes / 1e9:.1f} GB on this machine",
            got=f"{size_bytes / 1e9:.1f} GB in {files.root}",
            hint="use a smaller model",
        )
    content = _content(paths, tower)
    with _LOCK:  # threads that load the same model wait for one verdict
        if not has_verdict(_TOPIC, content):
            result = _REFUSALS.get(content) or _run(files, tower, dim, size_bytes, max_bytes)
            if result is _UNUSABLE:
                return
            if result is not None:
                _REFUSALS[content] = result
                raise ModelError(
                    expected=f"a model whose {tower} tower can be loaded and run",
                    got=f"{result}, in a trial of {files.root}",
                    hint="use an export of the model by its authors",
                )
            store_verdict(_TOPIC, content)
    store_probe(_TOPIC, paths, {"passed": True})


def _content(paths: list[Path], tower: str) -> str:
    digests = [f"{path.name} {sha256_of(path)}" for path in paths]
    return hashlib.sha256("\n".join([tower, *digests]).encode()).hexdigest()


def _run(files: ModelFiles, tower: str, dim: int, size_bytes: int, max_bytes: int) -> str | None:
    """Run the child process; return why the tower must not be loaded, `_UNUSABLE`, or None."""
    memory_bytes = min(MEMORY_BYTES + MEMORY_FACTOR * size_bytes, max_bytes)
    cpu_s = CPU_S + CPU_S_PER_GIB * size_bytes // (1 << 30)
    request = {
        "name": files.name,
        "root": str(files.root),
        "layout": asdict(files.layout),
        "tower": tower,
        "dim": dim,
        "memory_bytes": memory_bytes,
        "cpu_s": cpu_s,
    }
    # Not `-m`, which would import modules from the current directory: it may be that of a stranger.
    command = [sys.executable, "-P", "-c", _START, *filter(None, sys.path)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "RUST_BACKTRACE": "0"}
    try:
        done = subprocess.run(  # noqa: S603
            command,
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=WALL_FACTOR * cpu_s,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no result within {WALL_FACTOR * cpu_s} seconds"
    except OSError as error:
        return f"no child process could be started ({error.strerror})"
    return _reason(done, memory_bytes, cpu_s)


def _reason(done: "subprocess.CompletedProcess[bytes]", memory_bytes: int, cpu_s: int) -> str | None:
    reply = done.stdout.decode("utf-8", "replace")
    noise = done.stderr.decode("utf-8", "replace")
    if any(sign in reply + noise for sign in _OUT_OF_MEMORY):
        return f"more than {memory_bytes / 1e9:.1f} GB of memory needed"
    if done.returncode == 0:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            answer = json.loads(reply.splitlines()[-1] if reply else "")
            if answer["error"] is None:
                return None
            return _UNUSABLE if answer["is_known"] else str(answer["error"])[:_MAX_REPLY_CHARACTERS]
        return "no reply"
    if -done.returncode in _SIGNALS_OF_TIME:
        return f"more than {cpu_s} seconds of processor time needed"
    last = (noise.strip().splitlines() or [""])[-1]
    return f"a crash (exit code {done.returncode}) {last}"[:_MAX_REPLY_CHARACTERS].rstrip()


def _machine_bytes() -> int:
    """Return the memory of this machine, 16 GB where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 16 << 30
