import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array

from snapseek.errors import RENEW, ModelError
from snapseek.models.onnx.graph import Graph
from snapseek.models.onnx.protobuf import encoded, encoded_number
from snapseek.models.onnx.subgraph import cut_tower
from tests.support.model_zoo import (
    FLOAT,
    fused_model,
    image_model,
    model,
    node,
    port,
    save,
    text_model,
    weight,
)


def read(built, folder):
    save(built, folder / "model.onnx")
    return Graph.read(folder / "model.onnx")


def test_inputs_and_nothing_special(tmp_path):
    graph = read(image_model(batch=1), tmp_path)
    assert graph.inputs == ((1, 3, 16, 16),)
    assert graph.picture_side_px == 16
    assert graph.outputs == ("image_embeds",)
    assert (graph.half, graph.dynamic, graph.external) == (False, False, ())
    assert read(text_model(), tmp_path).inputs == ((None, None),)
    assert read(text_model(), tmp_path).picture_side_px is None


def test_dynamic_quantization_is_seen(tmp_path):
    assert read(image_model(quantized=True), tmp_path).dynamic


@pytest.mark.parametrize(("shape", "half"), [((2, 3), True), ((), False), ((4,), False)])
def test_half_precision_is_that_of_matrices(tmp_path, shape, half):
    value = from_array(np.ones(shape, np.float16), "value")
    nodes = [node("Cast", "value", "wide", to=FLOAT), node("Identity", "wide", "output")]
    built = model(nodes, [], [port("output", FLOAT, *shape)], [value])
    assert read(built, tmp_path).half is half


@pytest.mark.parametrize(("axes", "half"), [(b"\x80\x06", False), (b"\x80\x06\x02", True)])
def test_axes_may_be_written_packed(tmp_path, axes, half):
    tensor = encoded(1, axes) + encoded_number(2, TensorProto.FLOAT16)
    (tmp_path / "model.onnx").write_bytes(encoded(7, encoded(5, tensor)))
    assert Graph.read(tmp_path / "model.onnx").half is half


def test_external_weights_are_listed(tmp_path):
    outside = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 100}
    save(text_model(), tmp_path / "model.onnx", **outside)
    assert Graph.read(tmp_path / "model.onnx").external == ("weights.bin",)


def test_every_cut_of_a_file_is_refused_or_harmless(tmp_path):
    content = text_model().SerializeToString()
    path = tmp_path / "model.onnx"
    for length in range(1, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(ModelError, match=r"model\.onnx is not a graph in the ONNX format"):
            Graph.read(path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x3b", b"hello world", b"\x08\x07"])
def test_other_files_are_not_graphs(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=f"not a graph in the ONNX format: .*; {RENEW}"):
        Graph.read(path)
    with pytest.raises(ModelError, match="not a graph in the ONNX format"):
        Graph.read(tmp_path)


@pytest.mark.parametrize("start", [b"\x80\x04\x95", b"PK\x03\x04"])
def test_pickles_are_refused(tmp_path, start):
    path = tmp_path / "model.onnx"
    path.write_bytes(start + bytes(100))
    with pytest.raises(ModelError, match="a pickle that runs arbitrary code"):
        Graph.read(path)


def test_one_tower_out_of_two(tmp_path):
    save(fused_model(), tmp_path / "model.onnx")
    text = onnx.load_from_string(cut_tower(tmp_path / "model.onnx", ["text_embeds"]))
    onnx.checker.check_model(text)
    assert [item.name for item in text.graph.input] == ["input_ids", "attention_mask"]
    assert [item.name for item in text.graph.output] == ["text_embeds"]
    assert "widen" not in {item.name for item in text.graph.initializer}
    image = onnx.load_from_string(cut_tower(tmp_path / "model.onnx", ["image_embeds", "unheard of"]))
    onnx.checker.check_model(image)
    assert [item.name for item in image.graph.input] == ["pixel_values"]
    assert len(text.graph.node) + len(image.graph.node) == len(fused_model().graph.node) - 3


def test_what_a_graph_inside_a_node_needs_is_kept(tmp_path):
    inner = helper.make_graph([node("Identity", "outer", "inside")], "inner", [], [port("inside", FLOAT, 1)])
    nodes = [
        node("Identity", "weight", "outer"),
        node("Identity", "weight", "unused"),
        node("If", "choice", "output", then_branch=inner, else_branch=inner),
    ]
    inputs = [helper.make_tensor_value_info("choice", TensorProto.BOOL, [])]
    outputs = [port("output", FLOAT, 1), port("unused", FLOAT, 1)]
    save(model(nodes, inputs, outputs, [weight("weight", np.ones(1, np.float32))]), tmp_path / "model.onnx")
    cut = onnx.load_from_string(cut_tower(tmp_path / "model.onnx", ["output"]))
    assert [item.output[0] for item in cut.graph.node] == ["outer", "output"]
    assert [item.name for item in cut.graph.initializer] == ["weight"]
