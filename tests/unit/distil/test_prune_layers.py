"""The teacher's graph with a subset of its layers, without training."""

from functools import partial

import numpy as np
import pytest
from onnx import TensorProto

from snapseek.distil.onnx_graph import Graph
from snapseek.distil.prune_layers import read_text_graph, write_pruned
from snapseek.distil.student import write_folder, write_text_tower
from snapseek.errors import ModelError
from snapseek.models import Encoder
from snapseek.models.onnx.session import OnnxSession
from tests.support.stacked_model import DIM, write_stack, write_stacked_model

IDS = np.array([[4, 5, 6, 7], [8, 9, 10, 0]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])


def said(path, ids=IDS, mask=MASK):
    answer = OnnxSession(path).run({"input_ids": ids, "attention_mask": mask}, ["text_embeds"])[0]
    return answer / np.linalg.norm(answer, axis=1, keepdims=True)


@pytest.fixture(params=[True, False], ids=["norm first", "norm last"])
def stack(request, tmp_path):
    return write_stack(tmp_path / "stack.onnx", range(5), norm_first=request.param), request.param


def test_layers_are_found_by_how_values_flow(stack):
    graph = read_text_graph(stack[0], "text_embeds")
    assert graph.layers == 5
    assert (graph.ids, graph.mask) == ("input_ids", "attention_mask")
    assert len(graph.tables) == 1


@pytest.mark.parametrize(("layers", "kept"), [(2, [0, 4]), (3, [0, 2, 4]), (4, [0, 1, 3, 4])])
def test_it_is_the_model_that_has_only_those_layers(stack, tmp_path, layers, kept):
    path, norm_first = stack
    short = read_text_graph(path, "text_embeds").pruned(layers)
    write_text_tower(tmp_path / "short.onnx", short, DIM)
    write_stack(tmp_path / "fewer.onnx", kept, norm_first=norm_first)
    fewer = read_text_graph(tmp_path / "fewer.onnx", "text_embeds")
    write_text_tower(tmp_path / "expected.onnx", fewer, DIM)
    assert short.layers == layers
    np.testing.assert_allclose(said(tmp_path / "short.onnx"), said(tmp_path / "expected.onnx"), atol=1e-6)
    assert (said(tmp_path / "short.onnx") * said(path)).sum(axis=1).min() < 0.99


@pytest.mark.parametrize("opset", [17, 18, 20])
def test_written_whole_it_says_the_same(tmp_path, opset):
    path = write_stack(tmp_path / "stack.onnx", range(3), opset=opset)
    write_text_tower(tmp_path / "again.onnx", read_text_graph(path, "text_embeds"), DIM)
    np.testing.assert_allclose(said(tmp_path / "again.onnx"), said(path), atol=1e-5)


def test_its_matrices_are_written_in_8_bits(tmp_path):
    graph = read_text_graph(write_stack(tmp_path / "stack.onnx", range(4)), "text_embeds").pruned(3)
    whole = write_text_tower(tmp_path / "whole.onnx", graph, DIM)
    assert write_pruned(tmp_path / "short.onnx", graph, DIM) < whole / 2
    assert (said(tmp_path / "short.onnx") * said(tmp_path / "whole.onnx")).sum(axis=1).min() > 0.99


def test_equal_weights_that_are_kept_once_are_learned_apart(tmp_path):
    graph = read_text_graph(write_stack(tmp_path / "stack.onnx", range(3)), "text_embeds")
    biases = [value for value in graph.weights.values() if not value.any()]
    assert len(biases) == 3
    assert not np.shares_memory(biases[0], biases[1])


def test_what_hides_is_no_weight(tmp_path):
    graph = read_text_graph(write_stack(tmp_path / "stack.onnx", range(3)), "text_embeds")
    assert all(np.abs(value).max() < 100 for value in graph.weights.values())
    assert any(np.abs(value).max() == 1e9 for value in graph.constants.values())


def test_the_loader_takes_it(tmp_path):
    teacher = Encoder.load(write_stacked_model(tmp_path / "teacher"))
    short = read_text_graph(*teacher.text.graph).pruned(2)
    write = partial(write_pruned, graph=short, dim=teacher.dim)
    write_folder(tmp_path / "student", write, teacher, {"kind": "shortened"})
    loaded = Encoder.load(tmp_path / "student")
    assert loaded.text.config.unpadded
    assert loaded.space == teacher.fingerprint
    assert loaded.embed_texts(["red", "a photo blue"]).shape == (2, 3)


def test_the_last_layer_may_be_the_end(tmp_path):
    graph = Graph("bare")
    ids = graph.input("input_ids", "int64", ["N", "L"])
    rows = graph.op("Gather", graph.constant(np.ones((11, 4))), ids)
    x = graph.op("ReduceSum", rows, graph.constant([1], np.int64), keepdims=0)
    for _ in range(3):
        x = graph.op("Softmax", x, axis=1)
    graph.write(tmp_path / "g.onnx", x, "states", 4, "")
    assert read_text_graph(tmp_path / "g.onnx", "states").layers == 3


def test_a_teacher_without_layers_is_refused(tiny_model):
    graph = read_text_graph(tiny_model / "onnx/text_model.onnx", "text_embeds")
    with pytest.raises(ModelError, match="expected a stack of attention layers, got none"):
        graph.pruned(2)


def test_a_teacher_with_too_few_layers_is_refused(tmp_path):
    graph = read_text_graph(write_stack(tmp_path / "stack.onnx", range(3)), "text_embeds")
    with pytest.raises(ModelError, match="more than 3 layers, got 3"):
        graph.pruned(3)


def test_layers_that_are_passed_by_are_refused(tmp_path):
    graph = Graph("two ways")
    ids = graph.input("input_ids", "int64", ["N", "L"])
    rows = graph.op("Gather", graph.constant(np.ones((11, 4))), ids)
    sides = [graph.op("Softmax", graph.times(rows, factor), axis=-1) for factor in (1, 2)]
    out = graph.op("ReduceSum", graph.op("Add", *sides), graph.constant([1], np.int64), keepdims=0)
    graph.write(tmp_path / "g.onnx", out, "text_embeds", 4, "")
    with pytest.raises(ModelError, match="more than 2 layers, got 1"):
        read_text_graph(tmp_path / "g.onnx", "text_embeds").pruned(2)


def test_a_fixed_batch_size_is_rejected(tmp_path):
    graph = Graph("one")
    ids = graph.op("Cast", graph.input("input_ids", "int64", [1, "L"]), to=TensorProto.FLOAT)
    graph.write(tmp_path / "g.onnx", ids, "text_embeds", 4, "")
    with pytest.raises(ModelError, match="got a fixed one"):
        read_text_graph(tmp_path / "g.onnx", "text_embeds")


def test_what_is_no_graph_is_refused(tmp_path):
    (tmp_path / "g.onnx").write_bytes(b"\x93 no graph")
    with pytest.raises(ModelError, match="not a graph in the ONNX format"):
        read_text_graph(tmp_path / "g.onnx", "text_embeds")
