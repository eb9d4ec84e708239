import numpy as np
import onnxruntime

from snapseek.distil.onnx_graph import Graph, quantize_rows
from snapseek.distil.static import gelu


def test_int8_rows_come_back_within_half_a_step():
    rows = np.random.default_rng(0).normal(size=(5, 3, 2)).astype(np.float32)
    rows[2] = 0
    codes, scales = quantize_rows(rows)
    assert codes.dtype == np.int8
    assert (np.abs(codes * scales - rows) <= scales / 2 + 1e-7).all()


def test_a_written_graph_computes(tmp_path):
    graph = Graph("test")
    value = graph.input("x", "float32", ["N", 4])
    first, second = graph.ops("Split", 2, value, axis=1)
    graph.write(tmp_path / "g.onnx", graph.gelu(graph.op("Mul", first, second)), "y", 2, "a note")
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx", providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_allclose(session.run(["y"], {"x": x})[0], gelu(x[:, :2] * x[:, 2:]), atol=1e-6)
