"""The transformer student: the static student plus a narrow transformer of a few layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapseek.distil.onnx_graph import FLOAT, Graph, quantize_rows
from snapseek.distil.static import STEEPNESS, gelu, unit

Floats = NDArray[np.float32]
EPSILON = 1e-5
_MASKED_SCORE = -1e4


@dataclass(frozen=True)
class TransformerWeights:
    """Named float32 weights; layers are numbered from 0.

    `rows` (tokens, dim), `project_in` (width, dim), `positions` (length, width), `norm` (width,),
    `out` (dim, width), the static student's `mlp.inner` (hidden, dim) and `mlp.outer` (dim, hidden),
    and for each layer `N.` before `norm1`, `qkv` (3 · width, width), `attention_out` (width, width), `norm2`,
    `inner` (4 · width, width), `outer` (width, 4 · width); all but `rows` and `positions` as `.weight`
    and `.bias`.
    """

    named: Mapping[str, Floats]
    heads: int

    @property
    def layers(self) -> int:
        """Number of layers."""
        return sum(name.endswith(".qkv.weight") for name in self.named)

    def embed(self, ids: Sequence[Sequence[int]]) -> Floats:
        """Return unit rows (n, dim) of n texts as token ids: the reference for the graph."""
        return np.concatenate([self._embed_one(np.array(row)) for row in ids])

    def _embed_one(self, ids: NDArray[np.int64]) -> Floats:
        rows = self.named["rows"][ids]
        x = self._linear(rows, "project_in") + self.named["positions"][: len(ids)]
        for layer in range(self.layers):
            x = x + self._attend(self._norm(x, f"{layer}.norm1"), layer)
            hidden = gelu(self._linear(self._norm(x, f"{layer}.norm2"), f"{layer}.inner"))
            x = x + self._linear(hidden, f"{layer}.outer")
        context = self._linear(self._norm(x, "norm").mean(axis=0, keepdims=True), "out")
        words = unit(unit(rows.sum(axis=0, keepdims=True)) + context)
        residual = gelu(self._linear(np.float32(STEEPNESS) * words, "mlp.inner"))
        return unit(words + self._linear(residual, "mlp.outer"))

    def _attend(self, x: Floats, layer: int) -> Floats:
        split = self._linear(x, f"{layer}.qkv").reshape(len(x), 3, self.heads, -1).transpose(1, 2, 0, 3)
        query, key, value = split
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        attended = (weights / weights.sum(axis=-1, keepdims=True)) @ value
        return self._linear(attended.transpose(1, 0, 2).reshape(x.shape), f"{layer}.attention_out")

    def _linear(self, x: Floats, name: str) -> Floats:
        return np.asarray(x @ self.named[f"{name}.weight"].T + self.named[f"{name}.bias"], np.float32)

    def _norm(self, x: Floats, name: str) -> Floats:
        centered = x - x.mean(axis=-1, keepdims=True)
        scaled = centered / np.sqrt(x.var(axis=-1, keepdims=True) + EPSILON)
        return np.asarray(scaled * self.named[f"{name}.weight"] + self.named[f"{name}.bias"], np.float32)

    def add_to(self, graph: Graph, ids: str, mask: str) -> str:
        """Add the student to a graph: `ids` int64 (N, L), `mask` float32 (N, L) → unit rows (N, dim)."""
        return _GraphBuilder(self, graph, mask).build(ids)


class _GraphBuilder:
    """Builds the student from ONNX nodes."""

    def __init__(self, weights: TransformerWeights, graph: Graph, mask: str) -> None:
        self._named, self._heads, self._layers = weights.named, weights.heads, weights.layers
        self._width = weights.named["positions"].shape[1]
        self._graph = graph
        self._count = graph.op("ReduceSum", mask, graph.constant([1], np.int64), keepdims=1)
        self._mask = graph.op("Unsqueeze", mask, graph.constant([2], np.int64))
        absent = graph.op("Sub", graph.constant(1.0), mask)
        absent_keys = graph.op("Unsqueeze", absent, graph.constant([1, 2], np.int64))
        self._attention_bias = graph.times(absent_keys, _MASKED_SCORE)

    def build(self, ids: str) -> str:
        graph = self._graph
        rows = graph.op("Mul", self._rows(ids), self._mask)
        x = graph.op("Add", self._linear(rows, "project_in"), self._positions(ids))
        for layer in range(self._layers):
            x = graph.op("Add", x, self._attend(self._norm(x, f"{layer}.norm1"), layer))
            mlp = graph.gelu(self._linear(self._norm(x, f"{layer}.norm2"), f"{layer}.inner"))
            x = graph.op("Add", x, self._linear(mlp, f"{layer}.outer"))
        masked = graph.op("Mul", self._norm(x, "norm"), self._mask)
        context = self._linear(graph.op("Div", self._sum(masked), self._count), "out")
        words = graph.unit(graph.op("Add", graph.unit(self._sum(rows)), context))
        residual = graph.gelu(self._linear(graph.times(words, STEEPNESS), "mlp.inner"))
        return graph.unit(graph.op("Add", words, self._linear(residual, "mlp.outer")))

    def _rows(self, ids: str) -> str:
        graph = self._graph
        codes, scales = quantize_rows(self._named["rows"])
        gathered = graph.op("Gather", graph.constant(codes, np.int8), ids)
        rows = graph.op("Cast", gathered, to=FLOAT)
        return graph.op("Mul", rows, graph.op("Gather", graph.constant(scales), ids))

    def _positions(self, ids: str) -> str:
        graph, zero = self._graph, self._graph.constant([0], np.int64)
        length = graph.op("Shape", ids, start=1, end=2)
        return graph.op("Slice", graph.constant(self._named["positions"]), zero, length, zero)

    def _sum(self, x: str) -> str:
        return self._graph.op("ReduceSum", x, self._graph.constant([1], np.int64), keepdims=0)

    def _attend(self, x: str, layer: int) -> str:
        graph = self._graph
        parts = graph.ops("Split", 3, self._linear(x, f"{layer}.qkv"), axis=-1)
        query, key, value = (self._by_head(part) for part in parts)
        transposed = graph.op("Transpose", key, perm=[0, 1, 3, 2])
        scale = (self._width // self._heads) ** -0.5
        scores = graph.op(
            "Add", graph.times(graph.op("MatMul", query, transposed), scale), self._attention_bias
        )
        attended = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), value)
        heads_last = graph.op("Transpose", attended, perm=[0, 2, 1, 3])
        whole = graph.op("Reshape", heads_last, graph.constant([0, 0, self._width], np.int64))
        return self._linear(whole, f"{layer}.attention_out")

    def _by_head(self, value: str) -> str:
        shape = self._graph.constant([0, 0, self._heads, self._width // self._heads], np.int64)
        return self._graph.op("Transpose", self._graph.op("Reshape", value, shape), perm=[0, 2, 1, 3])

    def _linear(self, x: str, name: str) -> str:
        graph = self._graph
        weight = graph.op("Transpose", graph.weight(self._named[f"{name}.weight"]), perm=[1, 0])
        return graph.op("Add", graph.op("MatMul", x, weight), graph.constant(self._named[f"{name}.bias"]))

    def _norm(self, x: str, name: str) -> str:
        scale, shift = (self._graph.constant(self._named[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self._graph.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=EPSILON)
