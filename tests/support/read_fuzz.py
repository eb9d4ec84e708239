"""Read damaged libraries in child processes: how far each read gets, and how each child ends.

One case is a copy of a small library in which one file was damaged; a seed draws the file and the damage. The
child runs every operation that reads a library. Every exception must be a `SnapseekError`, and every HTTP
status an intended one.
"""

import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import snapseek.vectors.index as vectors_module
from snapseek.errors import InputError, SnapseekError
from snapseek.library import Library, verify
from snapseek.library.columns import column_builder, column_store, fulltext, index_files
from snapseek.library.records.arrow_file import Records
from snapseek.library.records.arrow_gather import RecordGather
from snapseek.library.storage.preview_queue import PendingPreview, PreviewQueue
from snapseek.library.storage.shards import Shard
from snapseek.models import Encoder
from snapseek.server.app import create_app
from tests.support import read_mutations
from tests.support.asgi_client import ask
from tests.support.embedding_files import WEBP, write_embeddings
from tests.support.vector_rows import unit_rows

ROWS = 150
RSS_MARGIN_BYTES = 300 << 20
_TIMEOUT_S = 60
_ADDRESS_SPACE_BYTES = 6 << 30
UNDAMAGED = "undamaged"
KINDS = (
    *("arrow metadata", "arrow offsets", "arrow body", "arrow size", "arrow rewritten"),
    *("column index", "library.db", "previews.db", "snap"),
)


@dataclass
class Outcome:
    """How one case ended."""

    kind: str
    sealed: bool
    seed: int = -1
    steps: dict[str, str] = field(default_factory=dict)
    """For each step `ok`, `refused`, or the exception that is no `SnapseekError`."""
    kernels: list[str] = field(default_factory=list)
    signal: int = 0
    rss_bytes: int = 0
    """The largest resident set beyond that of a child that reads the undamaged library."""
    file_bytes: int = 0

    @property
    def raw(self) -> list[str]:
        """Return the exceptions that are not a `SnapseekError`."""
        return [f"{step}: {end}" for step, end in self.steps.items() if end not in ("ok", "refused")]


def make_library(directory: Path, encoder: Encoder) -> Path:
    """A library of two shards with columns of many types, tombstones, column files and `previews.db`."""
    rows = range(ROWS)
    start = datetime(2020, 1, 1, tzinfo=UTC)
    columns = {
        "TEXT": pa.array([f"a {'öld' if row < 9 else 'red'} dog {row}" for row in rows]),
        "preview": pa.array([WEBP if row % 3 else b"" for row in rows], pa.binary()),
        "tags": pa.array([["a", f"b{row % 7}"][: row % 3] for row in rows]),
        "taken": pa.array([None if row % 9 == 0 else start for row in rows], pa.timestamp("us", "UTC")),
        "licence": pa.array([("CC0", "CC BY", None)[row % 3] for row in rows]),
        "folder": pa.array([f"{2015 + row % 3}/holiday" for row in rows]),
        "rating": pa.array([row % 6 for row in rows], pa.int64()),
        "public": pa.array([row % 4 == 0 for row in rows]),
        "latitude": pa.array([row / 2 for row in rows], pa.float64()),
        "longitude": pa.array([row / 3 for row in rows], pa.float64()),
        "day": pa.array(list(rows), pa.int32()).cast(pa.date32()),
        "local": pa.array(list(rows), pa.int64()).cast(pa.timestamp("s", "Europe/Berlin")),
        "price": pa.array(list(rows)).cast(pa.decimal128(24, 2)),
        "nested": pa.array([{"x": [row], "y": str(row)} for row in rows]),
        "long": pa.array([f"l{row}" for row in rows], pa.large_string()),
    }
    library = directory / "library"
    for number, flat_rows in enumerate((vectors_module.FLAT_ROWS, ROWS)):
        vectors = unit_rows(ROWS, dim=3, seed=number).astype(np.float16)
        folder = write_embeddings(directory / f"input{number}", vectors, **columns)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vectors_module, "FLAT_ROWS", flat_rows)  # the second shard has inverted lists
            opened = Library.import_vectors(folder, library, encoder=encoder, threads=1)
    opened.remove([3, 170])
    with PreviewQueue(library) as pending:
        pending.add(PendingPreview(4, b"RIFF", "#010203", 5, 6))
        pending.add(PendingPreview(5, reason="no answer"))
    _go_through(library)
    for path in library.glob("*-wal"):
        path.unlink()
    for path in library.glob("*-shm"):
        path.unlink()
    return library


def run(library: Path, work: Path, seeds: Sequence[int]) -> Iterator[Outcome]:
    """One case for each seed, in child processes of this one, which must have no other threads at work.

    The first outcome is that of an undamaged copy; the resident set of the others is what goes beyond it.
    """
    shutil.copytree(library, work)
    whole = _read(work, Outcome(UNDAMAGED, sealed=False))
    yield whole
    for seed in seeds:
        shutil.rmtree(work)
        shutil.copytree(library, work)
        outcome = Outcome(KINDS[seed % len(KINDS)], sealed=seed // len(KINDS) % 2 == 1, seed=seed)
        path = _damage(work, outcome.kind, random.Random(seed), sealed=outcome.sealed)
        outcome.file_bytes = path.stat().st_size
        _read(work, outcome)
        outcome.rss_bytes = max(0, outcome.rss_bytes - whole.rss_bytes)
        yield outcome
    shutil.rmtree(work)


def _read(work: Path, outcome: Outcome) -> Outcome:
    """Read the library at `work` in a child process; return how that ended."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _be_the_child(work, writer)
    os.close(writer)
    output = _read_output(reader, child)
    _, status, usage = os.wait4(child, 0)
    outcome.signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    outcome.rss_bytes = 1024 * usage.ru_maxrss
    if output:
        outcome.steps, outcome.kernels = json.loads(output)
    elif not outcome.signal:
        outcome.steps = {"child": f"ended with {os.waitstatus_to_exitcode(status)}"}
    return outcome


def _read_output(reader: int, child: int) -> bytes:
    """Return the output of the child; kill it after a timeout."""
    output, end = b"", time.monotonic() + _TIMEOUT_S
    with os.fdopen(reader, "rb", buffering=0) as stream:
        while select.select([stream], [], [], max(0.0, end - time.monotonic()))[0]:
            part = stream.read(1 << 16)
            if not part:
                return output
            output += part
    os.kill(child, signal.SIGKILL)
    return b""


def _be_the_child(work: Path, writer: int) -> None:
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE_BYTES, _ADDRESS_SPACE_BYTES))
        kernels: set[str] = set()
        _watch_kernels(kernels)
        steps = _go_through(work)
        with os.fdopen(writer, "wb") as stream:
            stream.write(json.dumps([steps, sorted(kernels)]).encode())
    finally:
        os._exit(0)


def _damage(work: Path, kind: str, rng: random.Random, *, sealed: bool) -> Path:
    """Damage one file of that kind; return the file."""
    family, _, part = kind.partition(" ")
    if kind.endswith(".db"):
        return _damage_database(work / kind, rng, sealed=sealed)
    suffix = {"arrow": ".arrow", "column": ".facet", "snap": ".snap"}[family]
    path = rng.choice(sorted((work / "shards").glob(f"*{suffix}")))
    data = bytearray(path.read_bytes())
    if kind == "arrow rewritten":
        data = bytearray(read_mutations.rewritten_arrow(bytes(data), rng))
    elif kind == "arrow size" or (family != "arrow" and rng.random() < 0.1):
        read_mutations.damage_size(data, rng)
    elif family == "arrow":
        read_mutations.damage_bytes(data, read_mutations.arrow_positions(bytes(data))[part], rng)
    else:
        read_mutations.damage_bytes(data, range(len(data)), rng)
    if sealed and family == "column":
        read_mutations.seal_column_index(data)
    if sealed and family == "snap":
        read_mutations.seal_snap(data)
    path.write_bytes(data)
    if sealed and family == "arrow":
        read_mutations.seal_records(work, path)
    return path


def _damage_database(path: Path, rng: random.Random, *, sealed: bool) -> Path:
    if sealed:
        read_mutations.hostile_database(path, rng)
        return path
    data = bytearray(path.read_bytes())
    if rng.random() < 0.15:
        read_mutations.damage_size(data, rng)
    else:
        used = [offset for offset in range(len(data)) if data[offset]]
        read_mutations.damage_bytes(data, used, rng)
    path.write_bytes(data)
    return path


_FILTERS = (
    *("tag:a", "folder:2016/holiday", "licence:cc0", "rating:>=3", "public:true", "caption:red", "year:2020"),
    *(
        "-tag:b1",
        "day:>1970-02-01",
        "price:>3",
        "near:10,5,500km",
        "has:taken",
        {"pixels": {">": 1000}},
        "long:l3",
        {"caption": {"=": "a red dog 20"}},
    ),
)


def _steps(directory: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield every read operation with its name; the first one opens the library."""
    opened: list[Library] = []

    def library() -> Library:
        if not opened:
            opened.append(Library.open(directory))
        return opened[0]

    yield "open", library
    yield "search by vector", lambda: library().search(np.ones(3, np.float32), 50, exact=True)
    yield "search by id", lambda: library().search(7, 20, where="rating:>=1", dedup=True)
    yield "search words", lambda: library().search("red dog", 50, mode="words")
    yield "search sorted", lambda: library().search(7, 20, sort="newest")
    yield "browse", lambda: library().browse(500)
    yield "browse by size", lambda: library().browse(50, sort="size")
    for number, where in enumerate(_FILTERS):
        yield f"where {number}", lambda where=where: library().browse(300, where=where)  # type: ignore[misc]
    yield "suggestions", lambda: library().suggestions()
    yield "info", lambda: (library().info(), library().failures(), library().archive_uri(4))
    for kind in ("csv", "jsonl", "parquet", "npy"):
        yield f"export {kind}", lambda kind=kind: library().export(directory / f"out.{kind}")  # type: ignore[misc]
    yield "verify", lambda: verify(directory)
    yield "previews.db", lambda: _read_previews(directory)
    app: list[object] = []

    def http(path: str, query: str = "", body: bytes = b"") -> None:
        if not app:
            app.append(create_app(library()))
        method = "POST" if body else "GET"
        headers = [(b"host", b"localhost:8000"), *([(b"content-type", b"application/json")] if body else [])]
        reply = ask(app[0], path, query, body=body, method=method, headers=headers)  # type: ignore[arg-type]
        if reply.status >= 500 and "something failed" in reply.json()["detail"]:
            raise AssertionError(f"{path} failed: {reply.body[:200]!r}")
        if reply.status >= 500:
            raise InputError("refused")

    yield "http items", lambda: http("/api/items", "limit=200&where=tag:a")
    yield "http page", lambda: http("/api/items", "limit=200")
    yield "http words", lambda: http("/api/search", "q=red+dog&mode=words")
    yield "http search", lambda: http("/api/search", body=b'{"terms": [{"id": 7}], "where": {"rating": 1}}')
    yield "http similar", lambda: http("/api/items/7/similar")
    yield "http picture", lambda: (http("/api/items/7"), http("/api/preview/7"))
    yield "http facts", lambda: (http("/api/suggestions"), http("/api/info"), http("/metrics"))


def _read_previews(directory: Path) -> None:
    with PreviewQueue(directory) as pending:
        pending.failures()
        pending.state_of([4, 5])
        shard = next(iter(sorted((directory / "shards").glob("*.arrow"))))
        for batch in Records(shard).batches:
            pending.applied(batch)


def _go_through(directory: Path) -> dict[str, str]:
    """Run every step; return how each ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(column_store, "KEPT_ROWS", 1)
        return {name: _end_of(step) for name, step in _steps(directory)}


def _end_of(step: Callable[[], object]) -> str:
    try:
        step()
    except SnapseekError:
        return "refused"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    return "ok"


_KERNELS: dict[str, tuple[object, str]] = {
    "records validated": (Shard, "_check_match"),
    "vector scan": (Shard, "search"),
    "gather of records": (RecordGather, "get"),
    "take in order": (Records, "_gather"),
    "column scan": (fulltext, "_holds"),
    "number index built": (column_store, "numeric_index"),
    "list index built": (column_store, "label_list_index"),
    "choice index built": (column_builder, "_dictionary_index"),
    "word index built": (column_builder, "_full_text_arrays"),
    "column index read": (index_files, "check_arrays"),
    "word scan": (fulltext.FullTextIndex, "flags_of"),
}
"""What is counted as a kernel: functions that hand a file's bytes to Arrow, NumPy or the core."""


def _watch_kernels(seen: set[str]) -> None:
    for name, (owner, attribute) in _KERNELS.items():
        setattr(owner, attribute, _noting(getattr(owner, attribute), name, seen))


def _noting(function: Callable[..., object], name: str, seen: set[str]) -> Callable[..., object]:
    def noting(*given: object, **named: object) -> object:
        seen.add(name)
        return function(*given, **named)

    return noting


def table(outcomes: Sequence[Outcome]) -> str:
    """How many cases of each kind reached each kernel and step, and the sums."""
    by_kind = {kind: [one for one in outcomes if one.kind == kind] for kind in KINDS}
    lines = [f"{'cases':<22}" + "".join(f"{kind:>17}" for kind in KINDS)]
    lines.append(f"{'':<22}" + "".join(f"{len(cases):>17}" for cases in by_kind.values()))
    for name in _KERNELS:
        counts = [sum(name in one.kernels for one in cases) for cases in by_kind.values()]
        lines.append(f"{name:<22}" + "".join(f"{count:>17}" for count in counts))
    steps = dict.fromkeys(step for one in outcomes for step in one.steps)
    for step in steps:
        counts = [sum(one.steps.get(step) == "ok" for one in cases) for cases in by_kind.values()]
        lines.append(f"{step + ' ok':<22}" + "".join(f"{count:>17}" for count in counts))
    ends = Counter(end for one in outcomes for end in one.raw)
    beyond = max((one.rss_bytes - 2 * one.file_bytes for one in outcomes), default=0)
    lines += [
        f"sealed {sum(one.sealed for one in outcomes)} of {len(outcomes)}",
        f"deaths by signal {sum(one.signal != 0 for one in outcomes)}, raw exceptions {ends.total()}, "
        f"largest RSS beyond an undamaged library and twice the file {beyond >> 20} MB",
        *(f"{count:6} x {end}" for end, count in ends.most_common(30)),
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the outcome of each case as a line of JSON: LIBRARY WORK FIRST STOP STEP."""
    library, work = map(Path, sys.argv[1:3])
    for outcome in run(library, work, range(*map(int, sys.argv[3:6]))):
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
