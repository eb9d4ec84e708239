"""Processes that build and search a rival: each alone with its threads, its memory and its crashes."""

import os
import shutil
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.rivals import RIVALS, VectorSet

K = 10
POLL_S = 0.02
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
SPAWN = get_context("spawn")


@dataclass(frozen=True)
class Built:
    """What a build cost. `anonymous_bytes` is its peak without mapped files; 0 where that cannot be read."""

    seconds: float
    processor_seconds: float
    peak_rss_bytes: int
    anonymous_bytes: int
    file_bytes: int


class RivalError(Exception):
    """A rival that could not be built, opened or searched; the message says why."""


def build(name: str, set_folder: Path, n: int, folder: Path, threads: int) -> Built:
    """Builds in a new process; a folder half written is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    process, pipe = _start(_build_here, threads, name, set_folder, n, folder, threads)
    try:
        peaks = _watch(process, pipe)
        seconds, processor_seconds = _receive(pipe)
    except RivalError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        process.join()
    return Built(seconds, processor_seconds, *peaks, folder_bytes(folder))


class Searcher:
    """A rival opened in a process of its own, on one thread."""

    def __init__(self, name: str, folder: Path, set_folder: Path, clock: str = "perf_counter"):
        self.name = name
        self._process, self._pipe = _start(_search_here, 1, name, folder, set_folder, clock)
        self.open_s: float = _receive(self._pipe)

    def ask(self, kind: str, query: int, point: int) -> tuple[NDArray[np.int64], float]:
        """The rows found for one query at one point, and the seconds the call took inside the process."""
        self._pipe.send((kind, query, point))
        return _receive(self._pipe)

    def memory(self) -> tuple[int, int]:
        """Bytes: (resident peak, anonymous now)."""
        return _memory(self._process, "VmHWM"), _memory(self._process, "RssAnon")

    def close(self) -> None:
        self._pipe.close()
        self._process.join(timeout=20)
        if self._process.is_alive():
            self._process.terminate()


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _start(target, threads: int, *arguments) -> tuple[BaseProcess, Connection]:
    """A spawned process inherits the thread counts, but no forced BLAS kernel, which may be a slow one."""
    kept = dict(os.environ)
    here, there = SPAWN.Pipe()
    try:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            os.environ.pop(variable, None)
        process = SPAWN.Process(target=target, args=(there, *arguments), daemon=True)
        process.start()
    finally:
        os.environ.clear()
        os.environ.update(kept)
    there.close()
    return process, here


def _receive(pipe: Connection):
    try:
        answer = pipe.recv()
    except EOFError:
        raise RivalError("its process ended without an answer") from None
    if isinstance(answer, RivalError):
        raise answer
    return answer


def _watch(process: BaseProcess, pipe: Connection) -> tuple[int, int]:
    """The peaks while it works: (resident, anonymous) bytes."""
    resident = anonymous = 0
    while not pipe.poll(POLL_S) and process.is_alive():
        resident = max(resident, _memory(process, "VmHWM"))
        anonymous = max(anonymous, _memory(process, "RssAnon"))
    return resident, anonymous


def _memory(process: BaseProcess, field: str) -> int:
    """A field of the process's status in bytes; 0 where the system has no such file."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field + ":")), 0)


def _build_here(pipe: Connection, name: str, set_folder: Path, n: int, folder: Path, threads: int) -> None:
    try:
        base = np.load(set_folder / "base.npy", mmap_mode="r")[:n]
        vectors = VectorSet(base, np.load(set_folder / "text_train.npy"))
        started, processor_started = time.perf_counter(), time.process_time()
        RIVALS[name].build(vectors, folder, threads)
        pipe.send((time.perf_counter() - started, time.process_time() - processor_started))
    except Exception as error:
        pipe.send(RivalError(f"{type(error).__name__}: {error}"))


def _search_here(pipe: Connection, name: str, folder: Path, set_folder: Path, clock: str) -> None:
    rival, now_s = RIVALS[name], getattr(time, clock)
    try:
        queries = {kind: np.load(set_folder / f"{kind}.npy") for kind in ("text", "image")}
        started = time.perf_counter()
        rival.open(folder)
        pipe.send(time.perf_counter() - started)
        while True:
            kind, query, point = pipe.recv()
            vector, setting = queries[kind][query], rival.points[point]
            started = now_s()
            rows = rival.search(vector, K, setting)
            taken_s = now_s() - started
            pipe.send((np.asarray(rows, np.int64), taken_s))
    except EOFError:
        return
    except Exception as error:
        pipe.send(RivalError(f"{type(error).__name__}: {error}"))
