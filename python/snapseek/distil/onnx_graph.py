"""A small writer of ONNX graphs: nodes in order, weights kept as int8 with one scale a row.

It encodes the messages of ONNX itself: a default install has no package that does. Numbers of fields and
types are those of onnx.proto.
"""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.models.onnx.protobuf import encoded, encoded_number, encoded_text

OPSET, IR_VERSION = 17, 8
_AXES_ARE_INPUTS = 18
_IR_VERSIONS = {19: 9, 21: 10, 23: 11, 24: 12}
"""The first opsets that need a later version of the format."""

FLOAT, INT64 = 1, 7
ELEMENT = {"int64": INT64, "float32": FLOAT}
_ELEMENTS = {
    **{"float32": FLOAT, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": INT64},
    **{"bool": 9, "float16": 10, "float64": 11, "uint32": 12, "uint64": 13},
}
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_STRING, _ATTRIBUTE_TENSOR = 1, 2, 3, 4
_ATTRIBUTE_FLOATS, _ATTRIBUTE_INTS = 6, 7


class Graph:
    """Collects nodes and constants; every method returns the name of the value that it made.

    `opset` may be raised for nodes that need a later one.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.opset = OPSET
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []

    def input(self, name: str, kind: str, shape: Sequence[int | str]) -> str:
        """Declare an input; a word in its shape is a dynamic axis."""
        self._inputs.append(_port(name, ELEMENT[kind], shape))
        return name

    def constant(self, value: object, kind: type = np.float32) -> str:
        """Store numbers as an array of at least one axis."""
        return self.tensor(np.ascontiguousarray(np.asarray(value, kind)))

    def tensor(self, array: NDArray[Any]) -> str:
        """Store an array as it is."""
        name = f"c{len(self._constants)}"
        self._constants.append(_tensor(array, name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output."""
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node with several outputs."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        made = [name, *(f"{name}_{index}" for index in range(1, outputs))]
        self._nodes.append(_node(kind, inputs, made, attributes))
        return made

    def weight(self, value: NDArray[np.float32]) -> str:
        """Store a weight as int8 with a scale for each row of its first axis; gives float32 back.

        Cast and Mul, not DequantizeLinear: the runtime folds them once, when it loads the graph.
        """
        codes, scales = quantize_rows(value)
        whole = self.op("Cast", self.constant(codes, np.int8), to=FLOAT)
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
        """Write the graph with `value` as its output `name` (N, width); return its bytes."""
        nodes = [*self._nodes, _node("Identity", [value], [name], {})]
        graph = b"".join(
            [
                *(encoded(1, node) for node in nodes),
                encoded_text(2, self._name),
                *(encoded(5, constant) for constant in self._constants),
                *(encoded(11, port) for port in self._inputs),
                encoded(12, _port(name, FLOAT, ["N", width])),
            ]
        )
        version = max([IR_VERSION, *(ir for opset, ir in _IR_VERSIONS.items() if self.opset >= opset)])
        model = [
            encoded_number(1, version),
            encoded_text(2, "snapseek"),
            encoded_text(6, note),
            encoded(7, graph),
            encoded(8, encoded_text(1, "") + encoded_number(2, self.opset)),
        ]
        return path.write_bytes(b"".join(model))


def _node(kind: str, inputs: Iterable[str], outputs: Sequence[str], attributes: dict[str, Any]) -> bytes:
    parts = [encoded_text(1, each) for each in inputs] + [encoded_text(2, each) for each in outputs]
    parts += [encoded_text(3, outputs[0]), encoded_text(4, kind)]
    parts += [encoded(5, _attribute(name, value)) for name, value in sorted(attributes.items())]
    return b"".join(parts)


def _attribute(name: str, value: Any) -> bytes:
    match value:
        case int():
            kind, content = _ATTRIBUTE_INT, encoded_number(3, value)
        case float():
            kind, content = _ATTRIBUTE_FLOAT, _encoded_float(2, value)
        case str() | bytes():
            text = value.encode() if isinstance(value, str) else value
            kind, content = _ATTRIBUTE_STRING, encoded(4, text)
        case np.ndarray():
            kind, content = _ATTRIBUTE_TENSOR, encoded(5, _tensor(value, ""))
        case message if hasattr(message, "SerializeToString"):  # a tensor of a graph that was read
            kind, content = _ATTRIBUTE_TENSOR, encoded(5, message.SerializeToString())
        case [float(), *_]:
            kind, content = _ATTRIBUTE_FLOATS, b"".join(_encoded_float(7, each) for each in value)
        case [*numbers]:
            kind, content = _ATTRIBUTE_INTS, b"".join(encoded_number(8, each) for each in numbers)
        case _:
            raise TypeError(f"expected numbers, a text or an array as the attribute {name}, got {value!r}")
    return encoded_text(1, name) + content + encoded_number(20, kind)


def _encoded_float(field: int, value: float) -> bytes:
    wire_type = 5
    return bytes([field << 3 | wire_type]) + struct.pack("<f", value)


def _tensor(array: NDArray[Any], name: str) -> bytes:
    parts = [encoded_number(1, size) for size in array.shape]
    parts += [encoded_number(2, _ELEMENTS[str(array.dtype)]), encoded_text(8, name)]
    return b"".join([*parts, encoded(9, array.astype(array.dtype.newbyteorder("<"), order="C").tobytes())])


def _port(name: str, element: int, shape: Sequence[int | str]) -> bytes:
    sides = [encoded_number(1, side) if isinstance(side, int) else encoded_text(2, side) for side in shape]
    sizes = b"".join(encoded(1, side) for side in sides)
    return encoded_text(1, name) + encoded(2, encoded(1, encoded_number(1, element) + encoded(2, sizes)))


def quantize_rows(value: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 codes of the same shape and float32 scales (rows, 1, …) with value ≈ codes · scales."""
    axes = tuple(range(1, value.ndim))
    scales = np.abs(value).max(axis=axes, keepdims=True) / 127
    codes = np.rint(value / np.maximum(scales, 1e-12)).astype(np.int8)
    return codes, scales.astype(np.float32)
