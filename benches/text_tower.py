"""Measure a query in a text tower of ViT-B/32's size: `python -m benches.text_tower`.

The graph is CLIP's text transformer (12 layers, 512 wide, 8 heads, 49,408 word pieces, causal, answered at
the last token) with random weights: its answers mean nothing, its time is that of the real one. It is written
as float32, dynamically quantised to int8, and as `snapseek distil --student int8` writes it, then run through
`TextTower` as a typed query is; also eight texts together, where that changes no answer.

The last lines explain why a short text in float32 is not cheaper in proportion: every text reads all
matrices once, and what one core reads in a second is measured in the same run.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: one core's reading is measured

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from benches.demo_figures import processor
from snapseek.distil.quantize_int8 import write_quantized
from snapseek.models.onnx.session import OnnxSession
from snapseek.models.text.text_tower import TextTower
from snapseek.threads import available_cores

LAYERS, WIDTH, HEADS, WORDS, LENGTH = 12, 512, 8, 49_408, 77
TOKENS = (4, 6, 10, 16, 77)
SHORT, LONG, ROUNDS = 6, 77, 40
MATRIX_BYTES = 4 * (LAYERS * 12 + 1) * WIDTH * WIDTH
"""Of the matrices that every text passes; of the table of words only the rows of its tokens are read."""


class _Graph:
    """Nodes and weights that are added one by one; a node's only output is named after its number."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(0)

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def value(self, array: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, *shape: int) -> str:
        return self.value((0.02 * self._random.standard_normal(shape)).astype(np.float32))

    def linear(self, x: str, inner: int, outer: int) -> str:
        return self.node("Add", self.node("MatMul", x, self.weight(inner, outer)), self.weight(outer))

    def norm(self, x: str) -> str:
        ones = self.value(np.ones(WIDTH, np.float32))
        return self.node("LayerNormalization", x, ones, self.weight(WIDTH), axis=-1)

    def heads(self, x: str) -> str:
        shape = self.value(np.array([0, 0, HEADS, WIDTH // HEADS]))
        return self.node("Transpose", self.node("Reshape", x, shape), perm=[0, 2, 1, 3])

    def attention(self, x: str, mask: str) -> str:
        q, k, v = (self.heads(self.linear(x, WIDTH, WIDTH)) for _ in range(3))
        scale = self.value(np.float32((WIDTH // HEADS) ** -0.5))
        keys = self.node("Transpose", k, perm=[0, 1, 3, 2])
        scores = self.node("Add", self.node("MatMul", self.node("Mul", q, scale), keys), mask)
        mixed = self.node("MatMul", self.node("Softmax", scores, axis=-1), v)
        rows = self.node("Transpose", mixed, perm=[0, 2, 1, 3])
        return self.linear(self.node("Reshape", rows, self.value(np.array([0, 0, WIDTH]))), WIDTH, WIDTH)

    def quick_gelu(self, x: str) -> str:
        factor = self.value(np.float32(1.702))
        return self.node("Mul", x, self.node("Sigmoid", self.node("Mul", x, factor)))


def write_tower(path: Path) -> None:
    """Write the float32 graph, 254 MB."""
    g = _Graph()
    zero, one = (g.value(np.array([n])) for n in (0, 1))
    count = g.node("Slice", g.node("Shape", "input_ids"), one, g.value(np.array([2])))
    position_embeddings = g.node("Slice", g.weight(LENGTH, WIDTH), zero, count, zero)
    x = g.node("Add", g.node("Gather", g.weight(WORDS, WIDTH), "input_ids"), position_embeddings)
    future = np.triu(np.full((LENGTH, LENGTH), -1e9, np.float32), 1)
    mask = g.node("Slice", g.node("Slice", g.value(future), zero, count, zero), zero, count, one)
    for _ in range(LAYERS):
        x = g.node("Add", x, g.attention(g.norm(x), mask))
        inner = g.quick_gelu(g.linear(g.norm(x), WIDTH, 4 * WIDTH))
        x = g.node("Add", x, g.linear(inner, 4 * WIDTH, WIDTH))
    last = g.node("Gather", g.norm(x), g.value(np.array(-1)), axis=1)
    g.nodes.append(helper.make_node("MatMul", [last, g.weight(WIDTH, WIDTH)], ["text_embeds"]))
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])
    answer = helper.make_tensor_value_info("text_embeds", TensorProto.FLOAT, ["batch", WIDTH])
    graph = helper.make_graph(g.nodes, "text", [ids], [answer], g.weights)
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


def p50_p99_ms(tower: TextTower, tokens: int, n: int) -> tuple[float, float]:
    """Of `n` queries, each of other words."""
    random = np.random.default_rng(1)
    spent = []
    for turn in range(n + 3):
        ids = random.integers(0, WORDS, tokens).tolist()
        started = time.perf_counter()
        tower.vectors([ids], length=tokens, pad_id=0, output="text_embeds")
        if turn >= 3:  # the first ones fetch memory for this length
            spent.append(1000 * (time.perf_counter() - started))
    return statistics.median(spent), float(np.percentile(spent, 99))


def together_ms(tower: TextTower, n: int, count: int = 8) -> tuple[float, float]:
    """What a text costs alone, and as one of `count` in a run; medians of `n`, in turns."""
    random = np.random.default_rng(2)
    spent: dict[int, list[float]] = {1: [], count: []}
    for size in [1, count] * (n + 3):
        rows = random.integers(0, WORDS, (size, SHORT)).tolist()
        started = time.perf_counter()
        tower.vectors(rows, length=SHORT, pad_id=0, output="text_embeds")
        spent[size].append(1000 * (time.perf_counter() - started) / size)
    return statistics.median(spent[1][3:]), statistics.median(spent[count][3:])


def print_bound(path: Path) -> None:
    """What reading the matrices costs at least, and how short texts vary while the long one does not.

    Rounds of a float32 tower on one thread, ordered by the time of 6 tokens; what the core reads of memory is
    measured in each.
    """
    tower, memory = TextTower(OnnxSession(path)), np.ones((16_384, 2_048), np.float32)
    rounds = []
    for _ in range(ROUNDS):
        gb = read_gb_a_second(memory)
        rounds.append([gb, *(p50_p99_ms(tower, tokens, 7)[0] for tokens in (1, SHORT, LONG))])
    rounds.sort(key=lambda figures: figures[2])
    print(f"float32, one thread: {MATRIX_BYTES / 1e6:.0f} MB of matrices, {ROUNDS} rounds")
    quarter = ROUNDS // 4
    for name, part in (("quickest", rounds[:quarter]), ("slowest", rounds[-quarter:])):
        gb, one, short, long = np.median(part, axis=0)
        print(
            f"{name} quarter: {gb:.0f} GB/s, so reading takes {MATRIX_BYTES / gb / 1e6:.1f} ms at least; "
            f"1 token {one:.1f} ms, {SHORT} {short:.1f}, {LONG} {long:.1f}: {long / short:.1f} x"
        )


def read_gb_a_second(memory: np.ndarray) -> float:
    """What one core reads, at best of three passes over more than any cache: a matrix times one vector."""
    vector, spent = np.ones(memory.shape[1], np.float32), []
    for _ in range(3):
        started = time.perf_counter()
        memory @ vector
        spent.append(time.perf_counter() - started)
    return memory.nbytes / min(spent) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=100, help="queries for each figure")
    options = parser.parse_args()
    print(f"{processor()}, {available_cores()} cores; n = {options.n} queries a figure")
    with tempfile.TemporaryDirectory() as temporary:
        full, small, blocks = (Path(temporary) / f"{name}.onnx" for name in ("full", "int8", "blocks"))
        write_tower(full)
        quantize_dynamic(full, small, weight_type=QuantType.QInt8)
        write_quantized(full, "text_embeds", blocks)
        print(f"{'p50 / p99 ms':28}" + "".join(f"{tokens:>9} tokens" for tokens in TOKENS))
        for name, path in (("float32", full), ("int8", small), ("int8 by blocks", blocks)):
            for threads in (1, 2):
                tower = TextTower(OnnxSession(path, threads=threads))
                figures = [p50_p99_ms(tower, tokens, options.n) for tokens in TOKENS]
                row = "".join(f"{p50:>8.2f} /{p99:>6.2f}" for p50, p99 in figures)
                ratio = figures[-1][0] / figures[TOKENS.index(SHORT)][0]
                print(
                    f"{name:14} {threads} thread(s)  {row}   {SHORT} against {LONG}: {ratio:.1f} x",
                    flush=True,
                )
        for name, path in (("float32", full), ("int8 by blocks", blocks)):
            alone, together = together_ms(TextTower(OnnxSession(path)), options.n)
            print(f"{name}, one thread, {SHORT} tokens: {alone:.2f} ms alone, {together:.2f} with 7 others")
        print_bound(full)


if __name__ == "__main__":
    main()
