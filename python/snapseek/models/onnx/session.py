"""Run an ONNX graph. Its inputs are recognized by rank and dtype."""

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from snapseek.errors import RENEW, ModelError, SnapseekError
from snapseek.models.onnx.graph import Graph
from snapseek.models.onnx.native_calls import NATIVE_CALLS
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
        ids = next((value for value in feeds.values() if value.ndim == 2), None)
        if ids is not None:
            unfed = (port for port in self.inputs if port.is_ids and port.name not in feeds)
            feeds = feeds | {port.name: np.zeros(ids.shape, port.dtype) for port in unfed}
        try:
            with NATIVE_CALLS, self._turn:
                answers = self._session.run(list(outputs), feeds)
        except Exception as error:  # ONNX Runtime has an exception class for each status
            raise ModelError(f"{self.path} cannot be run: {error}") from error
        return [np.asarray(answer, np.float32) for answer in answers]


def _open_session(graph: Path, threads: int, only: Sequence[str], provider: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
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
        raise ModelError(f"{graph} is not a graph that ONNX Runtime can load: {error}; {RENEW}") from error


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


def normalize_rows(vectors: NDArray[np.float32], error: SnapseekError) -> NDArray[np.float32]:
    """Scale the rows of an (n, dim) array to length 1; raise `error` if one is zero or not finite."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise error
    return np.asarray(vectors / norms, np.float32)


def _names(ports: tuple[Port, ...]) -> str:
    return ", ".join(f"{port.name}{list(port.shape)}" for port in ports)


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return (n, dim) float32 with rows scaled to length 1; None where a row is zero or not finite."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        return None
    return np.asarray(vectors / norms, np.float32)
