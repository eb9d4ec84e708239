"""Run an ONNX graph. Its inputs are recognized by rank and dtype."""

import atexit
import contextlib
import math
import os
import re
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from snapseek.errors import RENEW, ModelError
from snapseek.models.onnx.graph import Graph
from snapseek.models.onnx.subgraph import cut_tower

_DTYPES: dict[str, type[np.generic]] = {
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(float)": np.float32,
    "tensor(uint8)": np.uint8,
}
_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"
_IDS = (np.int64, np.int32)
_PIXELS = (np.float32, np.uint8)
CPU = "CPU"
_EXECUTION = "ExecutionProvider"
_DIRECT_ML = "Dml"
_HALF = "tensor(float16)"
_HALF_HINT = "use the export without _fp16"


_MAX_REASON_CHARACTERS = 300
_MAX_WAIT_S = 20.0
"""Longer than any single run; afterwards the process exits anyway."""


class NativeCalls:
    """Context manager for native calls; after `close`, it blocks all threads but the main thread.

    Python ends a thread that returns from native code during finalization (`pthread_exit`). The bindings of
    ONNX Runtime acquire the GIL in a destructor, and the C++ runtime aborts the process if a thread ends
    there ("terminate called without an active exception"). Joining threads is not enough, because a second
    Ctrl-C interrupts it and daemon threads are never joined. Therefore calls are counted: the interpreter
    waits at exit for running calls, and blocks new ones.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Reset the counter, in a forked child that has no other threads."""
        self._changed = threading.Condition()
        self._running = 0
        self._is_closed = False

    def __enter__(self) -> None:
        with self._changed:
            while self._is_closed and threading.current_thread() is not threading.main_thread():
                self._changed.wait()  # forever: the process is about to exit
            self._running += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._running -= 1
            if self._is_closed:
                self._changed.notify_all()

    def close(self) -> bool:
        """Block new calls of other threads, and wait for running ones; False if that takes too long."""
        with contextlib.suppress(ValueError):  # only the main thread may set signal handlers
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        with self._changed:
            self._is_closed = True
            return self._changed.wait_for(lambda: self._running == 0, _MAX_WAIT_S)


NATIVE_CALLS = NativeCalls()
atexit.register(NATIVE_CALLS.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=NATIVE_CALLS.reset)


@dataclass(frozen=True)
class Port:
    """An input of a graph. A dynamic axis of `shape` is None."""

    name: str
    shape: tuple[int | None, ...]
    dtype: type[np.generic]

    @property
    def is_ids(self) -> bool:
        """Whether it takes integers of shape (batch, length): token ids, their mask or their types."""
        return len(self.shape) == 2 and self.dtype in _IDS

    @property
    def is_pixels(self) -> bool:
        """Whether it takes pictures of rank 4."""
        return len(self.shape) == 4 and self.dtype in _PIXELS


class OnnxSession:
    """A loaded ONNX graph. Thread-safe.

    Parameters
    ----------
    graph
        Path of the ONNX file.
    threads
        Number of threads of one run.
    only
        Outputs to keep. Only the part of the graph that they need is loaded; at least one must exist.
    provider
        Execution provider, such as `CPU` or `CUDA`. Operators that it does not support run on the CPU.

    Raises
    ------
    ModelError
        If the graph cannot be loaded.
    """

    def __init__(
        self, graph: Path, *, threads: int = 1, only: Sequence[str] = (), provider: str = CPU
    ) -> None:
        self.path = graph
        self.graph = Graph.read(graph)
        if self.graph.half:
            raise ModelError(f"{graph} has float16 weights, which the CPU cannot run", hint=_HALF_HINT)
        if only and not set(only) & set(self.graph.outputs):
            raise no_output(graph, only, self.graph.outputs)
        self._session = _open_session(graph, threads, only, provider)
        self.inputs = tuple(_port(node, graph) for node in self._session.get_inputs())
        self._ids = tuple(port for port in self.inputs if port.is_ids)
        self.outputs = tuple(node.name for node in self._session.get_outputs())
        self.provider: str = self._session.get_providers()[0].removesuffix(_EXECUTION)
        # DirectML is the only provider that forbids concurrent runs of one session.
        self._turn = threading.Lock() if self.provider == _DIRECT_ML else contextlib.nullcontext()

    def ids_port(self) -> Port:
        """Return the input for token ids. Raises ModelError if there is none."""
        return self._port(
            [
                port
                for port in self.inputs
                if port.is_ids and "mask" not in port.name and "type" not in port.name
            ],
            "token ids of rank 2",
        )

    def mask_port(self) -> Port | None:
        """Return the input for the attention mask, None if there is none."""
        return next((port for port in self.inputs if port.is_ids and "mask" in port.name), None)

    def pixels_port(self) -> Port:
        """Return the input for pictures. Raises ModelError if there is none."""
        return self._port([port for port in self.inputs if port.is_pixels], "pictures of rank 4")

    def _port(self, found: list[Port], what: str) -> Port:
        if not found:
            raise ModelError(expected=f"an input for {what} in {self.path}", got=f"{_names(self.inputs)}")
        return found[0]

    def run(self, feeds: dict[str, NDArray[Any]], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Run the graph, and return its outputs as float32.

        Inputs of integers that are not fed, such as token types, are zeros. Raises ModelError if the run
        fails.
        """
        unfed = [port for port in self._ids if port.name not in feeds]
        ids = next((value for value in feeds.values() if value.ndim == 2), None) if unfed else None
        if ids is not None:
            feeds = feeds | {port.name: np.zeros(ids.shape, port.dtype) for port in unfed}
        try:
            with NATIVE_CALLS, self._turn:
                answers = self._session.run(list(outputs), feeds)
        except Exception as error:  # ONNX Runtime has an exception class for each status
            raise ModelError(f"{self.path} cannot be run: {_reason(error)}") from error
        return [np.asarray(answer, np.float32) for answer in answers]


def _open_session(graph: Path, threads: int, only: Sequence[str], provider: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised, too
    options.enable_mem_pattern = provider != _DIRECT_ML  # not supported
    # Spinning saves microseconds per run, and occupies a core between runs that decodes pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model: str | bytes = str(graph)
    if only:
        model = cut_tower(graph, only)
        options.add_session_config_entry(_WEIGHTS_FOLDER, str(graph.resolve().parent))
    try:
        with NATIVE_CALLS:
            return ort.InferenceSession(model, options, providers=_with_cpu(provider))
    except Exception as error:  # as above
        raise ModelError(
            f"{graph} is not a graph that ONNX Runtime can load: {_reason(error)}", hint=RENEW
        ) from error


def _reason(error: Exception) -> str:
    """Return the first line of an error of ONNX Runtime, without the status and the path of its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = re.sub(
        r"^(\[ONNXRuntimeError\] : \d+ : \w+ : )?(\S*/onnxruntime/\S+ )?", "", lines[0] if lines else ""
    )
    return text[:_MAX_REASON_CHARACTERS] or type(error).__name__


def _with_cpu(provider: str) -> list[str]:
    return [name + _EXECUTION for name in dict.fromkeys((provider, CPU))]


def _port(node: ort.NodeArg, graph: Path) -> Port:
    if node.type == _HALF:
        raise ModelError(f"{graph} has float16 weights, which the CPU cannot run", hint=_HALF_HINT)
    if node.type not in _DTYPES:
        raise ModelError(f"input {node.name} of {graph} is a {node.type}; known are {', '.join(_DTYPES)}")
    shape = tuple(axis if isinstance(axis, int) else None for axis in node.shape)
    return Port(node.name, shape, _DTYPES[node.type])


def no_output(graph: Path, known: Sequence[str], found: Sequence[str]) -> ModelError:
    """Return the error for a graph without an output of a known name."""
    return ModelError(
        expected=f"one of the outputs {', '.join(known)} in {graph}",
        got=", ".join(found),
        hint="use an export that has one",
    )


def _names(ports: tuple[Port, ...]) -> str:
    return ", ".join(f"{port.name}{list(port.shape)}" for port in ports)


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return (n, dim) float32 with rows scaled to length 1; None where a row is zero or not finite."""
    norms = np.sqrt(np.add.reduce(vectors * vectors, axis=1, keepdims=True))  # np.linalg.norm takes longer
    if not all(0.0 < norm < math.inf for norm in norms.ravel().tolist()):
        return None
    return np.asarray(vectors / norms, np.float32)
