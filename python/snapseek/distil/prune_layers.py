"""The shortened student: the teacher's own graph with a subset of its layers.

It keeps the teacher's embeddings and output layers, so it needs less training than new layers. Layers are
found by data flow, not by name, so any stack of attention layers is supported.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper, version_converter

from snapseek.distil.onnx_graph import OPSET, Graph
from snapseek.distil.quantize_int8 import write_quantized
from snapseek.distil.student import STUDENT_OUTPUT, write_text_tower
from snapseek.errors import ModelError

Floats = NDArray[np.float32]
_MIN_OPSET = 13  # the operators used here have not changed since
_ATTENTION = "Softmax"  # one per layer
_MIN_WEIGHTS = 16  # smaller tensors are constants such as an epsilon
_MAX_WEIGHT = 1e3  # the values of masks are larger
_HINT = "take an export in float32 that is not optimized for a runtime, or another --student"


@dataclass(frozen=True)
class TextGraph:
    """A text tower as sorted nodes; `output` is the name of its result.

    `inputs` maps inputs to ONNX types. `weights` are trainable tensors by name; `constants` are fixed ones,
    such as shapes and masks.
    """

    nodes: tuple[NodeProto, ...]
    inputs: Mapping[str, int]
    weights: Mapping[str, Floats]
    constants: Mapping[str, NDArray[Any]]
    output: str
    opset: int

    @property
    def ids(self) -> str:
        """The input for token ids."""
        return next(name for name in self.inputs if "mask" not in name and "type" not in name)

    @property
    def mask(self) -> str | None:
        """The input for the attention mask, None if there is none."""
        return next((name for name in self.inputs if "mask" in name), None)

    @property
    def tables(self) -> set[str]:
        """The weights that are only gathered by row: embedding tables."""
        gathered = {node.input[0] for node in self.nodes if chooses_rows(node)} & set(self.weights)
        return gathered - {name for node in self.nodes for name in _read_whole(node)}

    @property
    def layers(self) -> int:
        """Number of attention layers."""
        return len(self._gates())

    def pruned(self, layers: int) -> "TextGraph":
        """Return the graph with that number of layers: the first, the last, and evenly spaced ones between.

        Raises ModelError if it does not have more than `layers`.
        """
        gates = self._gates()
        if not 1 < layers < len(gates):
            raise ModelError(
                expected=f"a teacher of more than {layers} layers", got=str(len(gates)), hint=_HINT
            )
        kept = np.rint(np.linspace(0, len(gates) - 1, layers)).astype(int).tolist()
        bridged: dict[str, str] = {}
        for layer in range(len(gates) - 1):
            entry, leave = gates[layer : layer + 2]
            if layer not in kept:
                bridged[leave] = bridged.get(entry, entry)
        return replace(self, nodes=tuple(_rewired(node, bridged) for node in self.nodes))._pruned()

    def _gates(self) -> list[str]:
        """Return the value that enters each layer: the last bottleneck before its attention."""
        found = {depth: value for value, depth in self._bottlenecks()}
        gates = [found[depth] for depth in sorted(found)[:-1]]
        if sorted(found) != list(range(len(found))) or not gates:
            raise ModelError(expected="a stack of attention layers", got="none", hint=_HINT)
        return gates

    def _bottlenecks(self) -> Iterator[tuple[str, int]]:
        """Yield the values on every path from token rows to output, with the number of attentions before."""
        depths = self._depths()
        on_path = [node for node in self.nodes if node.output[0] in depths]
        users = Counter(name for node in on_path for name in set(node.input) & set(depths))
        users[self.output] += 1
        waiting: set[str] = set()
        for node in on_path:
            for name in set(node.input) & set(depths):
                users[name] -= 1
            waiting = {name for name in waiting | set(node.output) if users[name]}
            if len(waiting) == 1:
                (value,) = waiting
                yield value, depths[value]

    def _depths(self) -> dict[str, int]:
        """Return the number of attentions before each value that depends on token rows.

        Values that depend only on shapes or ids, such as masks and positions, are not included.
        """
        from_ids, depths = {self.ids}, dict[str, int]()
        tables = self.tables
        for node in self.nodes:
            if node.op_type == "Shape":
                continue
            before = [depths[name] for name in node.input if name in depths]
            if before:
                depths |= dict.fromkeys(node.output, max(before) + (node.op_type == _ATTENTION))
            elif from_ids & set(node.input):
                if chooses_rows(node) and node.input[0] in tables:
                    depths[node.output[0]] = 0
                else:
                    from_ids |= set(node.output)
        return depths

    def _pruned(self) -> "TextGraph":
        """Return the graph without nodes that the output does not need."""
        used, nodes = {self.output}, []
        for node in reversed(self.nodes):
            if used & set(node.output):
                nodes.append(node)
                used |= set(node.input)
        weights = {name: value for name, value in self.weights.items() if name in used}
        constants = {name: value for name, value in self.constants.items() if name in used}
        return replace(self, nodes=tuple(reversed(nodes)), weights=weights, constants=constants)

    def add_to(self, graph: Graph, ids: str, mask: str) -> str:
        """Add the tower in float32 to a graph: `ids` int64 (N, L), `mask` float32 (N, L) → rows (N, dim)."""
        graph.opset = max(graph.opset, self.opset)
        named = {"": ""}
        for name, kind in self.inputs.items():
            fed = {self.ids: ids, self.mask: mask}.get(name) or graph.op("Sub", ids, ids)
            named[name] = graph.op("Cast", fed, to=kind)
        held = {**self.constants, **self.weights}
        named |= {name: graph.tensor(value) for name, value in held.items()}
        for node in self.nodes:
            inputs = [named[name] for name in node.input]
            made = graph.ops(node.op_type, len(node.output), *inputs, **attributes(node))
            named |= dict(zip(node.output, made, strict=True))
        return graph.unit(named[self.output])


def write_pruned(path: Path, graph: TextGraph, dim: int) -> int:
    """Write it as the text tower of a student, in 8 bits; return its size in bytes."""
    with TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        write_text_tower(whole, graph, dim)
        return write_quantized(whole, STUDENT_OUTPUT, path)


def read_text_graph(path: Path, output: str) -> TextGraph:
    """Read the part of an ONNX graph that `output` needs.

    Raises ModelError if it cannot be read, or has a fixed batch size.
    """
    try:
        model = onnx.load(path)
    except Exception as error:  # the parser of protocol buffers may raise anything
        raise ModelError(f"{path} is not a graph in the ONNX format: {error}") from error
    opset = next((each.version for each in model.opset_import if not each.domain), 0)
    if opset < _MIN_OPSET:
        model = version_converter.convert_version(model, OPSET)
    nodes, held = _folded(model.graph)
    if any(_is_fixed(port) for port in model.graph.input if port.name not in held):
        raise ModelError(
            expected="a text tower with a dynamic batch size", got=f"a fixed one in {path}", hint=_HINT
        )
    weights = {name: value for name, value in held.items() if _is_weight(value)}
    inputs = {
        port.name: port.type.tensor_type.elem_type for port in model.graph.input if port.name not in held
    }
    whole = TextGraph(
        nodes,
        inputs,
        weights,
        {name: value for name, value in held.items() if name not in weights},
        output,
        max(opset, OPSET),
    )._pruned()
    used = {name for node in whole.nodes for name in node.input}
    return replace(whole, inputs={name: kind for name, kind in inputs.items() if name in used})


def _is_fixed(port: onnx.ValueInfoProto) -> bool:
    axes = port.type.tensor_type.shape.dim
    return len(axes) == 2 and axes[0].HasField("dim_value")  # ids and masks have two axes


def _folded(graph: onnx.GraphProto) -> tuple[tuple[NodeProto, ...], dict[str, NDArray[Any]]]:
    """Return nodes, and arrays by name, with `Constant` and `Identity` nodes folded.

    An `Identity` of an array becomes a copy: exports share equal weights, which are trained separately.
    """
    held: dict[str, NDArray[Any]] = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "Constant":
            ((kind, value),) = attributes(node).items()
            held[node.output[0]] = numpy_helper.to_array(value) if kind == "value" else _plain(kind, value)
        elif node.op_type == "Identity" and node.input[0] in held:
            held[node.output[0]] = held[node.input[0]].copy()
        else:
            nodes.append(node)
    return tuple(nodes), held


def _plain(kind: str, value: object) -> NDArray[Any]:
    return np.array(value, np.float32 if "float" in kind else np.int64)


def _is_weight(value: NDArray[Any]) -> bool:
    return (
        value.dtype == np.float32 and value.size >= _MIN_WEIGHTS and bool(np.abs(value).max() < _MAX_WEIGHT)
    )


def _rewired(node: NodeProto, bridged: Mapping[str, str]) -> NodeProto:
    if not set(node.input) & set(bridged):
        return node
    inputs = [bridged.get(name, name) for name in node.input]
    return helper.make_node(node.op_type, inputs, list(node.output), domain=node.domain, **attributes(node))


def chooses_rows(node: NodeProto) -> bool:
    """Return whether a node gathers rows of its first input."""
    return node.op_type == "Gather" and attributes(node).get("axis", 0) == 0


def _read_whole(node: NodeProto) -> list[str]:
    """Return the inputs that a node reads in full."""
    return list(node.input)[1 if chooses_rows(node) else 0 :]


def attributes(node: NodeProto) -> dict[str, Any]:
    """Return the attributes of a node as plain values."""
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}
