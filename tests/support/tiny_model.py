"""A working model of dimension 3: a picture is its mean colour, a word is a colour.

It has the files, names, dtypes and shapes of a Hugging Face CLIP export, so that the loader under test is the
loader that real models go through.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

SIDE_PX = 8
COLORS = {
    "[PAD]": (0, 0, 0),
    "[UNK]": (0.02, 0.01, 0.01),
    "a": (0.01, 0.01, 0.01),
    "photo": (0.01, 0.01, 0.02),
    "red": (1, -1, -1),
    "cyan": (-1, 1, 1),
    "green": (-1, 1, -1),
    "blue": (-1, -1, 1),
    "yellow": (1, 1, -1),
    "white": (1, 1, 1),
    "black": (-1, -1, -1),
}


def write_tiny_model(
    directory: Path, *, image_dim: int = 3, length: int | str = "length", mean=(0.5,) * 3
) -> Path:
    """Write the model; `image_dim` other than 3 makes towers that do not fit each other."""
    (directory / "onnx").mkdir(parents=True, exist_ok=True)
    onnx.save(_text_graph(length), directory / "onnx" / "text_model.onnx")
    onnx.save(_image_graph(image_dim), directory / "onnx" / "vision_model.onnx")
    _tokenizer().save(str(directory / "tokenizer.json"))
    _write(directory / "tokenizer_config.json", {"pad_token": "[PAD]", "unk_token": {"content": "[UNK]"}})
    _write(directory / "config.json", {"text_config": {"max_position_embeddings": 6}})
    _write(
        directory / "preprocessor_config.json",
        {
            "size": {"shortest_edge": SIDE_PX},
            "crop_size": SIDE_PX,
            "image_mean": mean,
            "image_std": [0.5] * 3,
        },
    )
    return directory


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(COLORS)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def _text_graph(length: int | str) -> onnx.ModelProto:
    """text_embeds = sum over the tokens that the mask keeps of the row of each."""
    table = numpy_helper.from_array(np.array(list(COLORS.values()), np.float32), "table")
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["rows", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["text_embeds"], keepdims=0),
    ]
    axes = [numpy_helper.from_array(np.array([axis]), name) for name, axis in (("last", 2), ("middle", 1))]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", length])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("text_embeds", TensorProto.FLOAT, ["batch", len(COLORS["[UNK]"])])
    return _model(nodes, inputs, output, [table, *axes])


def _image_graph(dim: int) -> onnx.ModelProto:
    """image_embeds = mean over the pixels, widened to `dim` numbers."""
    widen = numpy_helper.from_array(np.eye(3, dim, dtype=np.float32), "widen")
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "widen"], ["image_embeds"]),
    ]
    shape = ["batch", 3, SIDE_PX, SIDE_PX]
    inputs = [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, shape)]
    output = helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, ["batch", dim])
    return _model(nodes, inputs, output, [widen, axes])


def _model(nodes, inputs, output, weights) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "tiny", inputs, [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model
