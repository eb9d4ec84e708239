"""A small writer of ONNX graphs: nodes in order, weights kept as int8 with one scale a row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8
_AXES_ARE_INPUTS = 18
ELEMENT = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT}


class Graph:
    """Collects nodes and constants; every method returns the name of the value that it made.

    `opset` may be raised for nodes that need a later one.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.opset = OPSET
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, kind: str, shape: Sequence[int | str]) -> str:
        """Declare an input; a word in its shape is a dynamic axis."""
        self._inputs.append(helper.make_tensor_value_info(name, ELEMENT[kind], shape))
        return name

    def constant(self, value: object, kind: type = np.float32) -> str:
        """Store numbers as an array of at least one axis."""
        return self.tensor(np.ascontiguousarray(np.asarray(value, kind)))

    def tensor(self, array: NDArray[Any]) -> str:
        """Store an array as it is."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output."""
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node with several outputs."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        made = [name, *(f"{name}_{index}" for index in range(1, outputs))]
        self._nodes.append(helper.make_node(kind, list(inputs), made, name=name, **attributes))
        return made

    def weight(self, value: NDArray[np.float32]) -> str:
        """Store a weight as int8 with a scale for each row of its first axis; gives float32 back.

        Cast and Mul, not DequantizeLinear: the runtime folds them once, when it loads the graph.
        """
        codes, scales = quantize_rows(value)
        whole = self.op("Cast", self.constant(codes, np.int8), to=TensorProto.FLOAT)
        return self.op("Mul", whole, self.constant(scales))

    def unit(self, value: str) -> str:
        """Scale rows (last axis) to length 1; a row of zeros stays one."""
        if self.opset < _AXES_ARE_INPUTS:
            length = self.op("ReduceL2", value, axes=[-1], keepdims=1)
        else:
            length = self.op("ReduceL2", value, self.constant([-1], np.int64), keepdims=1)
        return self.op("Div", value, self.op("Max", length, self.constant(1e-6)))

    def gelu(self, value: str) -> str:
        """x · Φ(x), elementwise."""
        bent = self.op("Erf", self.times(value, 0.5**0.5))
        return self.op("Mul", self.times(value, 0.5), self.op("Add", bent, self.constant(1.0)))

    def times(self, value: str, factor: float) -> str:
        """Multiply by a number."""
        return self.op("Mul", value, self.constant(factor))

    def write(self, path: Path, value: str, name: str, width: int, note: str) -> int:
        """Check the graph and write it with `value` as its output `name` (N, width); return its bytes."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))
        output = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
        body = helper.make_graph(self._nodes, self._name, self._inputs, [output], self._constants)
        opset = [helper.make_opsetid("", self.opset)]
        version = max(IR_VERSION, helper.find_min_ir_version_for(opset))
        model = helper.make_model(body, opset_imports=opset, ir_version=version, producer_name="snapseek")
        model.doc_string = note
        onnx.checker.check_model(model, full_check=True)
        return path.write_bytes(model.SerializeToString(deterministic=True))


def quantize_rows(value: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 codes of the same shape and float32 scales (rows, 1, …) with value ≈ codes · scales."""
    axes = tuple(range(1, value.ndim))
    scales = np.abs(value).max(axis=axes, keepdims=True) / 127
    codes = np.rint(value / np.maximum(scales, 1e-12)).astype(np.int8)
    return codes, scales.astype(np.float32)
