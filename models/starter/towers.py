"""The two ONNX graphs: text tower and image tower, with the interface of CLIP exports."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto

import colour
from snapseek.distil.onnx_graph import Graph
from snapseek.distil.static import StaticWeights

WIDTH = 396
CONSE_SHARE, COLOUR_SEEN, COLOUR_SAID = 0.55, 0.35, 0.40
# Softmax temperatures: word meaning wants the second and third guess, the learned table trusts the first.
CONSE_TEMPERATURE, COMPANION_TEMPERATURE = 2.0, 1.0
BATCH_NORM_EPSILON = 1e-3
STRIDED = {1: 2, 4: 2, 7: 2, 15: 2}  # blocks of EfficientNet-Lite2 that halve the picture
BLOCKS = 21


def write_text_tower(path: Path, student: StaticWeights, vocabulary: dict[str, int]) -> int:
    """Write `input_ids`, `attention_mask` int64 (N, L) → `text_embeds` float32 (N, 396); return its bytes."""
    graph = Graph("snapseek starter: text tower")
    ids = graph.input("input_ids", "int64", ["N", "L"])
    mask = graph.op("Cast", graph.input("attention_mask", "int64", ["N", "L"]), to=TensorProto.FLOAT)
    meaning = student.add_to(graph, ids, mask)
    said = graph.times(_said_colours(graph, ids, mask, vocabulary), COLOUR_SAID)
    whole = graph.unit(graph.op("Concat", meaning, said, axis=1))
    return graph.write(path, whole, "text_embeds", WIDTH, "see NOTICE.md beside this file")


def _said_colours(graph: Graph, ids: str, mask: str, vocabulary: dict[str, int]) -> str:
    tokens, colours = colour.said_table(vocabulary)
    last = graph.constant([2], np.int64)
    same = graph.op("Equal", graph.op("Unsqueeze", ids, last), graph.constant(tokens, np.int64))
    heard = graph.op("Mul", graph.op("Cast", same, to=TensorProto.FLOAT), graph.op("Unsqueeze", mask, last))
    any_place = graph.op("ReduceMax", heard, axes=[1], keepdims=0)
    total = graph.op("MatMul", any_place, graph.constant(colours))
    length = graph.op("ReduceL2", total, axes=[-1], keepdims=1)
    return graph.op("Div", total, graph.op("Max", length, graph.constant(1.0)))


@dataclass(frozen=True)
class Classifier:
    """EfficientNet-Lite2 as named weights."""

    weights: Mapping[str, torch.Tensor]

    def logits(self, graph: Graph, pixels: str) -> str:
        """Add the network: pixels (N, 3, 256, 256) scaled to -1..1 → logits (N, 1000)."""
        x = self._convolve(graph, pixels, "_conv_stem", "_bn0", stride=2)
        for number in range(BLOCKS):
            x = self._block(graph, x, number)
        x = self._convolve(graph, x, "_conv_head", "_bn1")
        x = graph.op("Flatten", graph.op("GlobalAveragePool", x))
        weight = graph.weight(self.weights["_fc.weight"].numpy())
        return graph.op("Gemm", x, weight, graph.constant(self.weights["_fc.bias"].numpy()), transB=1)

    def _block(self, graph: Graph, x: str, number: int) -> str:
        name, stride, start = f"_blocks.{number}", STRIDED.get(number, 1), x
        if f"{name}._expand_conv.weight" in self.weights:
            x = self._convolve(graph, x, f"{name}._expand_conv", f"{name}._bn0")
        x = self._convolve(graph, x, f"{name}._depthwise_conv", f"{name}._bn1", stride)
        x = self._convolve(graph, x, f"{name}._project_conv", f"{name}._bn2", activate=False)
        return graph.op("Add", x, start) if self._keeps_shape(number, stride) else x

    def _keeps_shape(self, number: int, stride: int) -> bool:
        first = self.weights.get(f"_blocks.{number}._expand_conv.weight")
        last = self.weights[f"_blocks.{number}._project_conv.weight"]
        return first is not None and stride == 1 and first.shape[1] == last.shape[0]

    def _convolve(
        self, graph: Graph, x: str, name: str, norm: str, stride: int = 1, activate: bool = True
    ) -> str:
        weight, bias = self._folded(name, norm)
        groups = weight.shape[0] if "_depthwise" in name else 1
        # TensorFlow's "same": at stride 2 an even side gets its odd pixel of padding at the end.
        x = graph.op(
            "Conv",
            x,
            graph.weight(weight),
            graph.constant(bias),
            group=groups,
            strides=[stride] * 2,
            kernel_shape=list(weight.shape[2:]),
            auto_pad="SAME_UPPER",
        )
        return graph.op("Clip", x, graph.constant(0.0), graph.constant(6.0)) if activate else x

    def _folded(self, name: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scale, shift, mean, variance = (
            self.weights[f"{norm}.{part}"].double().numpy()
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = scale / np.sqrt(variance + BATCH_NORM_EPSILON)
        weight = self.weights[f"{name}.weight"].double().numpy() * factor[:, None, None, None]
        return weight.astype(np.float32), (shift - mean * factor).astype(np.float32)


def write_image_tower(
    path: Path,
    classifier: Classifier,
    conse: NDArray[np.float32],
    companion: NDArray[np.float32],
    standard: colour.Standard,
) -> int:
    """Write `pixel_values` float32 (N, 3, 256, 256) → `image_embeds` float32 (N, 396); return its bytes.

    `conse` (1000, 256) and `companion` (1000, 128) are the class rows of the two spaces.
    """
    graph = Graph("snapseek starter: image tower")
    pixels = graph.input("pixel_values", "float32", ["N", 3, colour.PICTURE_PX, colour.PICTURE_PX])
    logits = classifier.logits(graph, pixels)
    parts = [
        graph.times(_mean_class(graph, logits, CONSE_TEMPERATURE, conse), CONSE_SHARE**0.5),
        graph.times(_mean_class(graph, logits, COMPANION_TEMPERATURE, companion), (1 - CONSE_SHARE) ** 0.5),
        graph.times(colour.block(graph, pixels, standard), COLOUR_SEEN),
    ]
    whole = graph.unit(graph.op("Concat", *parts, axis=1))
    return graph.write(path, whole, "image_embeds", WIDTH, "see NOTICE.md beside this file")


def _mean_class(graph: Graph, logits: str, heat: float, rows: NDArray[np.float32]) -> str:
    likely = graph.op("Softmax", graph.times(logits, 1 / heat), axis=-1)
    return graph.unit(graph.op("MatMul", likely, graph.weight(rows)))
