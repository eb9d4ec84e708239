"""The static student: a row for each token, their mean, one residual layer; no order of words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from snapseek.distil.onnx_graph import Graph, quantize_rows

Floats = NDArray[np.float32]
STEEPNESS = 8.0  # unit vectors have small entries: without it the bend would see almost nothing


@dataclass(frozen=True)
class StaticWeights:
    """`rows` (tokens, dim), `inner` (hidden, dim), `outer` (dim, hidden) and their biases, float32.

    A row of zeros is a token that is not heard.
    """

    rows: Floats
    inner: Floats
    inner_bias: Floats
    outer: Floats
    outer_bias: Floats

    def embed(self, ids: Sequence[Sequence[int]]) -> Floats:
        """(n, dim) unit rows of n texts as ids: the obvious version of what the graph does."""
        words = unit(np.stack([self.rows[list(row)].sum(axis=0) for row in ids]))
        inner = gelu(np.asarray(STEEPNESS * words @ self.inner.T + self.inner_bias, np.float32))
        return unit(words + inner @ self.outer.T + self.outer_bias)

    def add_to(self, graph: Graph, ids: str, mask: str) -> str:
        """Add the student to a graph: `ids` int64 (N, L), `mask` float32 (N, L) → unit rows (N, dim)."""
        words = graph.unit(self._sum_of_rows(graph, ids, mask))
        inner = _linear(graph, graph.times(words, STEEPNESS), self.inner, self.inner_bias)
        bend = _linear(graph, graph.gelu(inner), self.outer, self.outer_bias)
        return graph.unit(graph.op("Add", words, bend))

    def _sum_of_rows(self, graph: Graph, ids: str, mask: str) -> str:
        codes, scales = quantize_rows(self.rows)
        gathered = graph.op("Gather", graph.constant(codes, np.int8), ids)
        rows = graph.op("Cast", gathered, to=TensorProto.FLOAT)
        heard = graph.op("Mul", graph.op("Gather", graph.constant(scales.ravel()), ids), mask)
        one = graph.constant([1], np.int64)
        return graph.op("Squeeze", graph.op("MatMul", graph.op("Unsqueeze", heard, one), rows), one)


def _linear(graph: Graph, value: str, weight: Floats, bias: Floats) -> str:
    return graph.op("Gemm", value, graph.weight(weight), graph.constant(bias), transB=1)


def unit(rows: Floats) -> Floats:
    """Rows scaled to length 1; a row of zeros stays one."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-6), np.float32)


_ERF = np.frompyfunc(math.erf, 1, 1)


def gelu(values: Floats) -> Floats:
    """x · Φ(x), elementwise."""
    return np.asarray(values / 2 * (1 + _ERF(values * 0.5**0.5).astype(np.float32)), np.float32)
