"""The teacher's own text tower with its matrices in 8 bits: nothing is learned, and little is lost.

Each matrix is cut into blocks of 64 weights along its inner axis, each block has its own scale, and ONNX
Runtime multiplies it as it lies (`MatMulNBits`). What a text is multiplied with is rounded as well, for each
block of each token by itself. So, unlike in a dynamically quantised graph, no text changes another's answer,
and texts that wait at the same time can share a run.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_model

from snapseek.distil.onnx_graph import quantize_rows
from snapseek.errors import InputError, StorageError
from snapseek.models.onnx.subgraph import cut_tower

_DOMAIN = "com.microsoft"
_BLOCK = 64
_HALF = 128
_ROUNDED_INPUTS = 4  # accuracy_level: both sides of a product as 8-bit integers
_FEWEST_ROWS = 1024  # of a table of words; smaller ones are not worth a further step

Floats = NDArray[np.float32]


def write_quantized(graph: Path, output: str, path: Path) -> int:
    """Write the tower of `graph` that answers with `output` to `path`, in 8 bits; the bytes it takes.

    Raises InputError for a tower without matrices of float32, such as one that is quantised already, and
    StorageError when a file beside the graph cannot be read.
    """
    model = onnx.load_model_from_string(cut_tower(graph, [output]))
    try:
        load_external_data_for_model(model, str(graph.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise StorageError(f"the weights beside {graph} cannot be read: {error}") from error
    _Rounding(model.graph).round_all(graph)
    if all(opset.domain != _DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    model.producer_name = "snapseek"
    return path.write_bytes(model.SerializeToString(deterministic=True))


def round_blocks(matrix: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Codes (outer, blocks, 64), scales (outer, blocks) of a matrix (inner, outer): code - 128 times scale.

    The weight of the largest size in a block gets the code 0, so that none has to be cut off.
    """
    inner, outer = matrix.shape
    blocks = np.ascontiguousarray(matrix.T).reshape(outer, inner // _BLOCK, _BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=-1)[..., None], axis=-1)
    scales = np.where(largest == 0, np.float32(1), largest / -_HALF).astype(np.float32)
    codes = np.clip(np.rint(blocks / scales) + _HALF, 0, 2 * _HALF - 1).astype(np.uint8)
    return codes, scales[..., 0]


class _Rounding:
    """Replaces the products and the tables of one graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._weights = {weight.name: weight for weight in graph.initializer}
        self._added: dict[str, onnx.TensorProto] = {}
        self._products = 0  # that were rounded

    def round_all(self, path: Path) -> None:
        """Raises InputError where there is nothing to round."""
        nodes = [made for node in self._graph.node for made in self._rounded(node)]
        if not self._products:
            raise InputError(
                expected=f"matrices of float32 in {path}",
                got="none",
                hint="round the export that is not quantised",
            )
        used = Counter(name for node in nodes for name in node.input)
        used.update(value.name for value in self._graph.output)
        kept = [weight for weight in self._weights.values() if used[weight.name]]
        declared = [
            value for value in self._graph.input if value.name not in self._weights or used[value.name]
        ]
        for field, values in (
            (self._graph.node, nodes),
            (self._graph.initializer, [*kept, *self._added.values()]),
            (self._graph.input, declared),
        ):
            del field[:]
            field.extend(values)

    def _rounded(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        match node.op_type:
            case "MatMul":
                return self._product(node, list(node.output)) or [node]
            case "Gemm":
                return self._gemm(node) or [node]
            case "Gather":
                return self._table(node) or [node]
            case _:
                return [node]

    def _product(
        self, node: onnx.NodeProto, output: list[str], *, turned: bool = False
    ) -> list[onnx.NodeProto]:
        """Return the product as one of blocks; nothing where its right side is no matrix that can be rounded."""
        matrix = self._floats(node.input[1])
        if matrix is None or matrix.ndim != 2:
            return []
        matrix = matrix.T if turned else matrix
        inner, outer = matrix.shape
        if inner % _BLOCK:
            return []
        self._products += 1
        codes, scales = round_blocks(matrix)
        names = (
            self._add(f"{node.input[1]}_codes{'_t' * turned}", codes),
            self._add(f"{node.input[1]}_scales{'_t' * turned}", scales.reshape(-1)),
        )
        sizes: dict[str, Any] = {"K": inner, "N": outer, "bits": 8, "block_size": _BLOCK}
        return [
            helper.make_node(
                "MatMulNBits",
                [node.input[0], *names],
                output,
                name=node.name,
                domain=_DOMAIN,
                accuracy_level=_ROUNDED_INPUTS,
                **sizes,
            )
        ]

    def _gemm(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        how = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if how.get("transA", 0) or how.get("alpha", 1.0) != 1.0 or how.get("beta", 1.0) != 1.0:
            return []
        has_bias = len(node.input) > 2 and node.input[2] != ""
        product = f"{node.output[0]}_product" if has_bias else node.output[0]
        made = self._product(node, [product], turned=bool(how.get("transB", 0)))
        if made and has_bias:
            made.append(helper.make_node("Add", [product, node.input[2]], list(node.output)))
        return made

    def _table(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Return rows out of a table of words, each with its own scale."""
        table = self._floats(node.input[0])
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
        if table is None or table.ndim != 2 or len(table) < _FEWEST_ROWS or axis != 0:
            return []
        codes, scales = quantize_rows(table)
        sources = (self._add(f"{node.input[0]}_codes", codes), self._add(f"{node.input[0]}_scales", scales))
        rows, whole, scale = (f"{node.output[0]}_{part}" for part in ("codes", "whole", "scale"))
        return [
            helper.make_node("Gather", [sources[0], node.input[1]], [rows], axis=0),
            helper.make_node("Cast", [rows], [whole], to=TensorProto.FLOAT),
            helper.make_node("Gather", [sources[1], node.input[1]], [scale], axis=0),
            helper.make_node("Mul", [whole, scale], list(node.output), name=node.name),
        ]

    def _floats(self, name: str) -> Floats | None:
        weight = self._weights.get(name)
        if weight is None or weight.data_type != TensorProto.FLOAT:
            return None
        return np.asarray(numpy_helper.to_array(weight), np.float32)

    def _add(self, name: str, value: NDArray[Any]) -> str:
        if name not in self._added:
            self._added[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name
