"""One ONNX graph, its ports found by rank and dtype."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from snapseek.errors import ModelError

_OUTPUTS = ("text_embeds", "image_embeds", "embedding", "sentence_embedding", "pooler_output", "output")
_DTYPES: dict[str, type[np.generic]] = {
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(float)": np.float32,
}


@dataclass(frozen=True)
class Port:
    """An input or output of a graph. An axis of `shape` is None where the graph leaves it open."""

    name: str
    shape: tuple[int | None, ...]
    dtype: type[np.generic]


class Tower:
    """A loaded graph. Safe to call from many threads."""

    def __init__(self, graph: Path, *, threads: int = 1) -> None:
        """Load `graph` for the CPU with `threads` threads. Raises ModelError when it cannot be loaded."""
        self.graph = graph
        self._session = _open_session(graph, threads)
        self.inputs = tuple(_port(node, graph) for node in self._session.get_inputs())
        self.output = _choose_output(self._session.get_outputs(), graph)
        self.provider: str = self._session.get_providers()[0].removesuffix("ExecutionProvider")

    def input_of_rank(self, rank: int) -> Port:
        """The first input of that rank that is not a mask. Raises ModelError when there is none."""
        for port in self.inputs:
            if len(port.shape) == rank and "mask" not in port.name:
                return port
        raise ModelError(f"expected an input of rank {rank} in {self.graph}, found {_names(self.inputs)}")

    def mask_input(self) -> Port | None:
        """The attention mask, where the graph wants one."""
        return next((port for port in self.inputs if "mask" in port.name), None)

    def run(self, feeds: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The graph's answer as it is, (n, dim) float32. Raises ModelError when the run fails."""
        try:
            (answer,) = self._session.run([self.output], feeds)
        except Exception as error:  # ONNX Runtime raises a class of its own for each status
            raise ModelError(f"{self.graph} could not be run: {error}") from error
        vectors = np.asarray(answer, np.float32)
        if vectors.ndim != 2:
            raise ModelError(f"expected (n, dim) from {self.graph}, found the shape {vectors.shape}")
        return vectors


def _open_session(graph: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning saves microseconds a call and burns a core between calls; pictures are decoded on that core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise ModelError(f"{graph} is not a graph that ONNX Runtime can load: {error}") from error


def _port(node: ort.NodeArg, graph: Path) -> Port:
    if node.type not in _DTYPES:
        raise ModelError(f"input {node.name} of {graph} is a {node.type}; known are {', '.join(_DTYPES)}")
    shape = tuple(axis if isinstance(axis, int) else None for axis in node.shape)
    return Port(node.name, shape, _DTYPES[node.type])


def _choose_output(outputs: list[ort.NodeArg], graph: Path) -> str:
    names = [node.name for node in outputs]
    for name in _OUTPUTS:
        if name in names:
            return name
    raise ModelError(
        f"expected one of the outputs {', '.join(_OUTPUTS)} in {graph}, found {', '.join(names)}"
    )


def _names(ports: tuple[Port, ...]) -> str:
    return ", ".join(f"{port.name}{list(port.shape)}" for port in ports)
