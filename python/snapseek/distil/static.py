"""The static student: mean of token rows, then one residual layer.

Without `Neighbours` it ignores the order of words; with them it sees the neighbours of each token.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapseek.distil.onnx_graph import FLOAT, Graph, quantize_rows

Floats = NDArray[np.float32]
STEEPNESS = 8.0  # scales the small entries of unit vectors to the working range of GELU


@dataclass(frozen=True)
class Neighbours:
    """A convolution over three tokens, added to the sum of token rows.

    `kernel` (wide, dim, 3) and `bias` (wide,) compute features of a token and its two neighbours. `back`
    (dim, wide) projects the sum of all features; float32.
    """

    kernel: Floats
    bias: Floats
    back: Floats

    def of(self, rows: Floats) -> Floats:
        """Return (dim,) for the rows (n, dim) of one text: the reference for the graph."""
        padding = np.zeros_like(rows[:1])
        padded = np.concatenate([padding, rows, padding])
        taps = (padded[tap : tap + len(rows)] @ self.kernel[:, :, tap].T for tap in range(3))
        return np.asarray(gelu(sum(taps, self.bias)).sum(axis=0) @ self.back.T, np.float32)

    def add_to(self, graph: Graph, rows: str, mask: str) -> str:
        """Add it to a graph: `rows` float32 (N, L, dim), zeros at padding, `mask` (N, L) → (N, dim)."""
        channels_first = graph.op("Transpose", rows, perm=[0, 2, 1])
        kernel, bias = graph.weight(self.kernel), graph.constant(self.bias)
        features = graph.gelu(graph.op("Conv", channels_first, kernel, bias, kernel_shape=[3], pads=[1, 1]))
        masked = graph.op("Mul", features, graph.op("Unsqueeze", mask, graph.constant([1], np.int64)))
        total = graph.op("ReduceSum", masked, graph.constant([2], np.int64), keepdims=0)
        return graph.op("Gemm", total, graph.weight(self.back), transB=1)


@dataclass(frozen=True)
class StaticWeights:
    """`rows` (tokens, dim), `inner` (hidden, dim), `outer` (dim, hidden) and their biases, float32.

    A row of zeros is a token that is ignored. With `row_of` (tokens,), the row of each token, only known
    tokens have rows: a text with a token of row 0 gets a vector of zeros, which `TextEncoder` rejects.
    """

    rows: Floats
    inner: Floats
    inner_bias: Floats
    outer: Floats
    outer_bias: Floats
    neighbours: Neighbours | None = None
    row_of: NDArray[np.int64] | None = None

    def embed(self, ids: Sequence[Sequence[int]]) -> Floats:
        """Return unit rows (n, dim) of n texts as token ids: the reference for the graph."""
        numbers = [np.array(row) if self.row_of is None else self.row_of[list(row)] for row in ids]
        words = unit(np.stack([self._sum(self.rows[row]) for row in numbers]))
        inner = gelu(np.asarray(STEEPNESS * words @ self.inner.T + self.inner_bias, np.float32))
        rows = unit(words + inner @ self.outer.T + self.outer_bias)
        if self.row_of is not None:
            rows[[(row == 0).any() for row in numbers]] = 0
        return rows

    def _sum(self, rows: Floats) -> Floats:
        total: Floats = rows.sum(axis=0)
        return total if self.neighbours is None else total + self.neighbours.of(rows)

    def add_to(self, graph: Graph, ids: str, mask: str) -> str:
        """Add the student to a graph: `ids` int64 (N, L), `mask` float32 (N, L) → unit rows (N, dim)."""
        rows = ids if self.row_of is None else graph.op("Gather", graph.constant(self.row_of, np.int64), ids)
        words = graph.unit(self._sum_of_rows(graph, rows, mask))
        inner = _linear(graph, graph.times(words, STEEPNESS), self.inner, self.inner_bias)
        residual = _linear(graph, graph.gelu(inner), self.outer, self.outer_bias)
        vectors = graph.unit(graph.op("Add", words, residual))
        return vectors if self.row_of is None else graph.op("Mul", vectors, _all_known(graph, rows, mask))

    def _sum_of_rows(self, graph: Graph, ids: str, mask: str) -> str:
        codes, scales = quantize_rows(self.rows)
        gathered = graph.op("Gather", graph.constant(codes, np.int8), ids)
        rows = graph.op("Cast", gathered, to=FLOAT)
        weights = graph.op("Mul", graph.op("Gather", graph.constant(scales.ravel()), ids), mask)
        one = graph.constant([1], np.int64)
        total = graph.op("Squeeze", graph.op("MatMul", graph.op("Unsqueeze", weights, one), rows), one)
        if self.neighbours is None:
            return total
        scaled = graph.op("Mul", rows, graph.op("Unsqueeze", weights, graph.constant([2], np.int64)))
        return graph.op("Add", total, self.neighbours.add_to(graph, scaled, mask))


def _all_known(graph: Graph, rows: str, mask: str) -> str:
    """Add 1 for a text without a token of row 0, else 0: (N, L) → (N, 1)."""
    is_known = graph.op("Sign", graph.op("Cast", rows, to=FLOAT))
    is_padding = graph.op("Sub", graph.constant(1.0), mask)
    return graph.op("ReduceMin", graph.op("Max", is_known, is_padding), axes=[1], keepdims=1)


def _linear(graph: Graph, value: str, weight: Floats, bias: Floats) -> str:
    return graph.op("Gemm", value, graph.weight(weight), graph.constant(bias), transB=1)


def unit(rows: Floats) -> Floats:
    """Return rows scaled to length 1; a row of zeros stays zero."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-6), np.float32)


_ERF = np.frompyfunc(math.erf, 1, 1)


def gelu(values: Floats) -> Floats:
    """Return the Gaussian error linear unit, x * Φ(x)."""
    return np.asarray(values / 2 * (1 + _ERF(values * 0.5**0.5).astype(np.float32)), np.float32)
