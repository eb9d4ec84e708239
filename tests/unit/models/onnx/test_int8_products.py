import numpy as np
import onnx
import onnxruntime as ort

from snapseek.models.onnx import int8_products
from snapseek.models.onnx.graph import Graph
from snapseek.models.onnx.int8_products import int8_saturates
from tests.support.model_zoo import save, text_model


class SaturatingSession:
    """Adds two products in 16 bits, as the kernels for x86 without VNNI do."""

    def __init__(self, content, **_):
        onnx.checker.check_model(onnx.load_from_string(content))

    def run(self, _, feeds):
        pairs = feeds["a"].astype(np.int64)[:, :, None] * feeds["b"].astype(np.int64)[None]
        pairs = pairs[:, ::2] + pairs[:, 1::2]
        return (np.clip(pairs, -(1 << 15), (1 << 15) - 1).sum(axis=1),)


def test_it_agrees_with_the_products_of_this_machine():
    a, b = np.full((1, 64), 255, np.uint8), np.full((64, 1), 127, np.int8)
    session = ort.InferenceSession(int8_products._product_graph(), providers=["CPUExecutionProvider"])
    (product,) = session.run(None, {"a": a, "b": b})
    assert int8_saturates() == (product.item() != 64 * 255 * 127)


def test_saturated_products_are_noticed(monkeypatch):
    monkeypatch.setattr(int8_products.ort, "InferenceSession", SaturatingSession)
    assert int8_saturates.__wrapped__() is True


def test_int8_matrices_of_a_graph_are_seen(tmp_path):
    built = text_model()
    save(built, tmp_path / "float.onnx")
    matrix = onnx.numpy_helper.from_array(np.ones((2, 2), np.int8), "matrix")
    built.graph.initializer.append(matrix)
    save(built, tmp_path / "int8.onnx")
    assert [Graph.read(tmp_path / f"{name}.onnx").signed for name in ("float", "int8")] == [False, True]
