"""Tells whether ONNX Runtime multiplies int8 matrices exactly on this CPU.

The kernels for x86 without VNNI add two products of uint8 and int8 in 16 bits, which saturates: twice
255 · 127 becomes 32,767. The vectors of an int8 text tower are then less accurate. The documentation of ONNX
Runtime has it under "U8S8"; here it is tried with the smallest graph that shows it.
"""

from functools import cache

import numpy as np
import onnxruntime as ort

from snapseek.models.onnx.protobuf import encoded, encoded_number

_UINT8, _INT8, _INT32 = 2, 3, 6
_ROWS, _DEPTH, _COLUMNS = 4, 64, 16
_LARGEST = (255, 127)
_IR_VERSION, _OPSET = 8, 13


@cache
def int8_saturates() -> bool:
    """Return whether products of uint8 and int8 matrices saturate on this CPU."""
    session = ort.InferenceSession(_product_graph(), providers=["CPUExecutionProvider"])
    codes, weights = _LARGEST
    feeds = {
        "a": np.full((_ROWS, _DEPTH), codes, np.uint8),
        "b": np.full((_DEPTH, _COLUMNS), weights, np.int8),
    }
    (product,) = session.run(None, feeds)
    return bool((product != _DEPTH * codes * weights).any())


def _product_graph() -> bytes:
    """Return an ONNX model with one node, MatMulInteger."""
    node = (
        b"".join(encoded(1, name) for name in (b"a", b"b")) + encoded(2, b"c") + encoded(4, b"MatMulInteger")
    )
    inputs = encoded(11, _port(b"a", _UINT8)) + encoded(11, _port(b"b", _INT8))
    graph = encoded(1, node) + encoded(2, b"product") + inputs + encoded(12, _port(b"c", _INT32))
    return encoded_number(1, _IR_VERSION) + encoded(7, graph) + encoded(8, encoded_number(2, _OPSET))


def _port(name: bytes, dtype: int) -> bytes:
    axes = encoded(1, b"") + encoded(1, b"")
    tensor = encoded_number(1, dtype) + encoded(2, axes)
    return encoded(1, name) + encoded(2, encoded(1, tensor))
