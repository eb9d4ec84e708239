"""An ONNX graph in PyTorch matches ONNX Runtime, per operator and as a whole."""

import importlib.util

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from snapseek.distil.onnx_graph import Graph
from snapseek.distil.prune_layers import TextGraph, read_text_graph
from snapseek.distil.student import write_text_tower
from snapseek.errors import ModelError
from tests.support.stacked_model import write_stack

if importlib.util.find_spec("torch") is None:
    pytest.skip("PyTorch is not installed: pip install 'snapseek[distil]'", allow_module_level=True)

import torch
from torch.nn import functional

from snapseek.distil.onnx_to_torch import _KNOWN, Replay

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4)).astype(np.float32)
Y = RNG.normal(size=(2, 3, 4)).astype(np.float32)
ROW = RNG.normal(size=4).astype(np.float32)
FLAT = X[0]
NUMBERS = np.array([[7, -7, 3], [2, 0, -5]])
TRUTHS = np.array([True, False, True])
ONE = np.array(1.0, np.float32)


def whole(*values):
    return np.array(values, np.int64)


CASES = [
    *((kind, [X, Y], {}) for kind in ("Add", "Div", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")),
    *((kind, [X, ROW], {}) for kind in ("Max", "Min", "Mul", "Sub")),
    *((kind, [X], {}) for kind in ("Abs", "Cos", "Erf", "Exp", "Identity", "IsNaN", "Neg", "Reciprocal")),
    *((kind, [X], {}) for kind in ("Relu", "Sigmoid", "Sin", "Tanh")),
    *((kind, [TRUTHS, TRUTHS[::-1].copy()], {}) for kind in ("And", "Or")),
    ("Not", [TRUTHS], {}),
    *((kind, [np.abs(X)], {}) for kind in ("Log", "Sqrt")),
    ("Pow", [X, np.array(2.0, np.float32)], {}),
    ("Div", [NUMBERS, np.array(2)], {}),
    ("Equal", [NUMBERS, np.array(3)], {}),
    *(("ArgMax", [NUMBERS], {"axis": 1, "keepdims": keeps}) for keeps in (0, 1)),
    *(("Cast", [X], {"to": kind}) for kind in (TensorProto.INT64, TensorProto.BOOL)),
    ("Clip", [X, np.array(-0.5, np.float32), np.array(0.5, np.float32)], {}),
    ("Concat", [X, Y], {"axis": 1}),
    ("ConstantOfShape", [whole(2, 3)], {}),
    ("ConstantOfShape", [whole(2, 3)], {"value": numpy_helper.from_array(whole(7))}),
    ("CumSum", [NUMBERS, np.array(1)], {}),
    ("Expand", [ROW, whole(2, 3, 1)], {}),
    *(("Flatten", [X], {"axis": axis}) for axis in (1, 2)),
    ("Gather", [X, np.array([[1, -1]])], {"axis": 1}),
    ("Gather", [X, np.array(-1)], {"axis": 1}),
    ("Gather", [FLAT, np.array([[2, 0]])], {}),
    ("GatherElements", [FLAT, np.array([[0, 3], [1, 1], [2, 0]])], {"axis": 1}),
    ("GatherND", [X, np.array([[0, 2], [1, 1]])], {}),
    *(("Gelu", [X], {"approximate": way}) for way in ("none", "tanh")),
    ("Gemm", [FLAT, Y[0]], {"transB": 1}),
    ("Gemm", [FLAT, Y[0], ROW], {"transA": 1, "alpha": 0.5, "beta": 2.0}),
    ("LayerNormalization", [X, ROW, ROW], {"axis": -1, "epsilon": 0.01}),
    ("MatMul", [X, Y.transpose(0, 2, 1).copy()], {}),
    ("Range", [np.array(1), np.array(8), np.array(3)], {}),
    *((f"Reduce{kind}", [X, whole(1, -1)], {"keepdims": 0}) for kind in ("L2", "Max", "Mean", "Sum")),
    ("ReduceMean", [X, whole(2)], {}),
    ("ReduceSum", [X], {"keepdims": 0}),
    ("Reshape", [X, whole(0, -1)], {}),
    ("Shape", [X], {"start": 1, "end": 2}),
    ("Shape", [X], {"start": -1}),
    ("Slice", [X, whole(1, 0), whole(2**63 - 1, -1), whole(1, 2)], {}),
    ("Slice", [X, whole(-1), whole(-(2**63) + 1), whole(2), whole(-2)], {}),
    ("Slice", [NUMBERS, whole(1), whole(2)], {}),
    *(("Softmax", [X], {"axis": axis}) for axis in (1, -1)),
    ("Split", [X, whole(1, 3)], {"axis": 2}),
    ("Split", [X], {"axis": 2, "num_outputs": 2}),
    ("Squeeze", [X[:1, :1], whole(0)], {}),
    ("Squeeze", [X[:1, :1]], {}),
    ("Transpose", [X], {"perm": [2, 0, 1]}),
    *(("Trilu", [FLAT, np.array(1)], {"upper": upper}) for upper in (0, 1)),
    ("Unsqueeze", [X, whole(0, -1)], {}),
    ("Where", [TRUTHS[:, None], X, ONE], {}),
]


@pytest.mark.parametrize(("kind", "inputs", "given"), CASES, ids=[case[0] for case in CASES])
def test_an_operator_is_that_of_the_runtime(kind, inputs, given):
    names = [f"x{index}" for index in range(len(inputs))]
    outputs = ["y", "z"] if kind == "Split" else ["y"]
    node = helper.make_node(kind, names, outputs, **given)
    ports = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in zip(names, inputs, strict=True)
    ]
    untyped = [helper.make_empty_tensor_value_info(name) for name in outputs]
    model = helper.make_model(
        helper.make_graph([node], "one", ports, untyped),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=9,
    )
    feeds = dict(zip(names, inputs, strict=True))
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    for name, answer in zip(outputs, expected, strict=True):
        graph = TextGraph((node,), {}, {}, {}, name, 20)
        found = Replay(graph)({key: torch.from_numpy(value) for key, value in feeds.items()}).numpy()
        assert (found.shape, found.dtype) == (answer.shape, answer.dtype)
        np.testing.assert_allclose(found, answer, atol=2e-6)


def test_every_operator_is_tried():
    assert {kind for kind, _, _ in CASES} == set(_KNOWN)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_tower_says_what_the_runtime_says_and_every_weight_can_be_taught(tmp_path, norm_first):
    path = write_stack(tmp_path / "stack.onnx", range(3), norm_first=norm_first)
    feeds = {
        "input_ids": np.array([[4, 5, 6, 7], [8, 9, 10, 0]]),
        "attention_mask": np.array([[1, 1, 1, 1], [1, 1, 1, 0]]),
    }
    (expected,) = onnxruntime.InferenceSession(path).run(None, feeds)
    graph = read_text_graph(path, "text_embeds")
    replay = Replay(graph)
    found = replay({name: torch.from_numpy(value) for name, value in feeds.items()})
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-4, atol=1e-4)
    found.square().sum().backward()
    assert all(weight.grad is not None for weight in replay.weights.values())
    assert {name for name, weight in replay.weights.items() if weight.grad.is_sparse} == graph.tables


SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "vocab_size": 100,
}
FIRST, PADDED, END = 3, 98, 99


def architecture(name):
    """A text encoder of Hugging Face with four layers and random weights, and the name of its output."""
    import transformers as t

    if name == "CLIP":
        config = t.CLIPTextConfig(
            **SIZES, projection_dim=16, eos_token_id=END, bos_token_id=PADDED, pad_token_id=0
        )
        return t.CLIPTextModelWithProjection(config), "text_embeds"
    if name == "SigLIP":
        return t.SiglipTextModel(t.SiglipTextConfig(**SIZES, projection_size=32)), "pooler_output"
    if name == "DistilBERT":
        config = t.DistilBertConfig(dim=32, hidden_dim=64, n_layers=4, n_heads=4, vocab_size=100)
        return t.DistilBertModel(config), "last_hidden_state"
    model, config = {
        "BERT": (t.BertModel, t.BertConfig),
        "MPNet": (t.MPNetModel, t.MPNetConfig),
        "XLM-R": (t.XLMRobertaModel, t.XLMRobertaConfig),
    }[name]
    return model(config(**SIZES), add_pooling_layer=False), "last_hidden_state"


class Exported(torch.nn.Module):
    def __init__(self, model, output):
        super().__init__()
        self.model, self.output = model.eval(), output

    def forward(self, input_ids, attention_mask=None):
        answer = self.model(input_ids=input_ids, attention_mask=attention_mask)[self.output]
        if attention_mask is None:
            return answer
        said = attention_mask[:, :, None].float()
        return (answer * said).sum(1) / said.sum(1)


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers is not installed")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("opset", [14, 17, 20])
@pytest.mark.parametrize("name", ["BERT", "CLIP", "DistilBERT", "MPNet", "SigLIP", "XLM-R"])
def test_exports_of_known_architectures_are_understood(tmp_path, name, opset):
    torch.manual_seed(0)
    model, output = architecture(name)
    names = ["input_ids", "attention_mask"][: 2 if output == "last_hidden_state" else 1]
    rows = [torch.randint(FIRST, PADDED, shape) for shape in ((2, 7), (3, 5))]
    for ids in rows:
        ids[:, -1] = END
    example, inputs = ([ids, torch.ones_like(ids)][: len(names)] for ids in rows)
    torch.onnx.export(
        Exported(model, output),
        tuple(example),
        str(tmp_path / "text.onnx"),
        dynamo=False,
        opset_version=opset,
        input_names=names,
        output_names=["text_embeds"],
        dynamic_axes={key: {0: "n", 1: "length"} for key in names} | {"text_embeds": {0: "n"}},
    )
    graph = read_text_graph(tmp_path / "text.onnx", "text_embeds")
    feeds = dict(zip(names, inputs, strict=True))
    session = onnxruntime.InferenceSession(tmp_path / "text.onnx")
    (expected,) = session.run(None, {key: value.numpy() for key, value in feeds.items()})
    assert graph.layers == 4
    with torch.no_grad():
        np.testing.assert_allclose(Replay(graph)(feeds).numpy(), expected, atol=1e-5)
        said = functional.normalize(Replay(graph.pruned(2))(feeds), dim=1).numpy()
    write_text_tower(tmp_path / "short.onnx", graph.pruned(2), expected.shape[1])
    whole = {"input_ids": inputs[0].numpy(), "attention_mask": np.ones_like(inputs[0].numpy())}
    (short,) = onnxruntime.InferenceSession(tmp_path / "short.onnx").run(None, whole)
    assert (short * said).sum(axis=1).min() > 0.999


def test_operators_of_one_runtime_are_refused(tmp_path):
    graph = Graph("quantized")
    ids = graph.input("input_ids", "int64", ["N", "L"])
    rows = graph.op("Gather", graph.constant(np.ones((11, 4), np.int8), np.int8), ids)
    scaled = graph.op("DequantizeLinear", rows, graph.tensor(np.array(0.1, np.float32)))
    out = graph.op("ReduceSum", scaled, graph.constant([1], np.int64), keepdims=0)
    graph.write(tmp_path / "g.onnx", out, "text_embeds", 4, "")
    with pytest.raises(ModelError, match="got DequantizeLinear; take such an export"):
        Replay(read_text_graph(tmp_path / "g.onnx", "text_embeds"))


def test_half_precision_inside_is_refused(tmp_path):
    graph = Graph("half")
    ids = graph.input("input_ids", "int64", ["N", "L"])
    rows = graph.op("Gather", graph.constant(np.ones((11, 4))), ids)
    half = graph.op("Cast", graph.op("Cast", rows, to=TensorProto.FLOAT16), to=TensorProto.FLOAT)
    out = graph.op("ReduceSum", half, graph.constant([1], np.int64), keepdims=0)
    graph.write(tmp_path / "g.onnx", out, "text_embeds", 4, "")
    with pytest.raises(ModelError, match="got numbers of the type FLOAT16"):
        Replay(read_text_graph(tmp_path / "g.onnx", "text_embeds"))({"input_ids": torch.ones(1, 2).long()})
