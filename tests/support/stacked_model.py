"""The tiny model with a text tower of several attention layers: random weights, as exports write them."""

from pathlib import Path

import numpy as np
from onnx import TensorProto

from snapseek.distil.onnx_graph import Graph
from tests.support.tiny_model import COLORS, write_tiny_model

DIM, LONGEST, WIDTH = 3, 6, 64


def write_stacked_model(directory: Path, layers: int = 4) -> Path:
    """Write a model whose text tower has `layers` attention layers; return its folder."""
    write_tiny_model(directory)
    write_stack(directory / "onnx/text_model.onnx", range(layers))
    return directory


def write_stack(path: Path, layers, *, norm_first: bool = True, opset: int = 17) -> Path:
    """input_ids, attention_mask → text_embeds. A layer's weights depend on its number alone.

    The first bias of every layer is one shared array behind `Identity`, as PyTorch exports equal ones.
    """
    graph = Graph("stack")
    graph.opset = opset
    ids = graph.input("input_ids", "int64", ["N", "L"])
    mask = graph.op("Cast", graph.input("attention_mask", "int64", ["N", "L"]), to=TensorProto.FLOAT)
    _Stack(graph, mask, norm_first).write(path, ids, list(layers))
    return path


class _Stack:
    def __init__(self, graph, mask, norm_first):
        self._graph, self._norm_first = graph, norm_first
        self._column = graph.op("Unsqueeze", mask, graph.constant([2], np.int64))
        absent = graph.op("Sub", graph.tensor(np.array(1, np.float32)), mask)
        row = graph.op("Unsqueeze", absent, graph.constant([1], np.int64))
        self._hidden = graph.times(row, -1e9)
        self._shared = graph.constant(np.zeros(2 * WIDTH))

    def write(self, path, ids, layers):
        graph, normal = self._graph, np.random.default_rng(99).normal
        x = graph.op("Gather", graph.constant(normal(size=(len(COLORS), WIDTH))), ids)
        length = graph.op("Shape", ids, start=1, end=2)
        zero = graph.constant([0], np.int64)
        positions = graph.op("Slice", graph.constant(normal(size=(LONGEST, WIDTH))), zero, length, zero)
        x = graph.op("Add", x, positions)
        for number in layers:
            x = self._layer(x, np.random.default_rng(number).normal)
        one = graph.constant([1], np.int64)
        total = graph.op("ReduceSum", graph.op("Mul", x, self._column), one, keepdims=0)
        out = graph.op("MatMul", total, graph.constant(normal(size=(WIDTH, DIM))))
        graph.write(path, out, "text_embeds", DIM, "")

    def _layer(self, x, normal):
        for part in (self._attend, self._think):
            if self._norm_first:
                x = self._graph.op("Add", x, part(self._norm(x), normal))
            else:
                x = self._norm(self._graph.op("Add", x, part(x, normal)))
        return x

    def _norm(self, x):
        scale, shift = self._graph.constant(np.full(WIDTH, 1.1)), self._graph.constant(np.full(WIDTH, 0.1))
        return self._graph.op("LayerNormalization", x, scale, shift, axis=-1)

    def _attend(self, x, normal):
        graph = self._graph
        query, key, value = (self._times(x, normal, WIDTH) for _ in range(3))
        scores = graph.op("MatMul", query, graph.op("Transpose", key, perm=[0, 2, 1]))
        share = graph.op("Softmax", graph.op("Add", scores, self._hidden), axis=-1)
        return self._times(graph.op("MatMul", share, value), normal, WIDTH)

    def _think(self, x, normal):
        graph = self._graph
        inner = graph.op("Add", self._times(x, normal, 2 * WIDTH), graph.op("Identity", self._shared))
        return graph.op(
            "MatMul", graph.gelu(inner), graph.constant(WIDTH**-0.5 * normal(size=(2 * WIDTH, WIDTH)))
        )

    def _times(self, x, normal, wide):
        return self._graph.op(
            "MatMul", x, self._graph.constant(1.7 * WIDTH**-0.5 * normal(size=(WIDTH, wide)))
        )
