"""Quantize the teacher's own text tower to 8 bits, without training.

By blocks: each matrix is split into blocks of 64 weights along its inner axis, with one scale per block, and
multiplied by ONNX Runtime's `MatMulNBits`. Activations are quantized per block of each token. So a text's
vector does not depend on the other texts of its batch, and texts can share a run.

Dynamically: each matrix has one scale per column, and activations one scale per run, as in the int8 files
that others publish. Where the CPU has VNNI, this takes half the time to nine tenths of it; elsewhere products
may saturate.
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
_ACCURACY_LEVEL = 4  # both operands of a product as 8-bit integers
_MIN_TABLE_ROWS = 1024  # smaller tables are not worth a dequantization

Floats = NDArray[np.float32]


def write_quantized(graph: Path, output: str, path: Path) -> int:
    """Write the tower that computes `output` to `path` in 8 bits, and return the size in bytes.

    Raises InputError for a tower without float32 matrices, such as a quantized one, and StorageError if its
    external weights cannot be read.
    """
    model = _tower(graph, output)
    _Quantizer(model.graph).quantize(graph)
    if all(opset.domain != _DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    model.producer_name = "snapseek"
    return path.write_bytes(model.SerializeToString(deterministic=True))


def write_dynamic(graph: Path, output: str, path: Path) -> None:
    """Write the tower that computes `output` to `path`, quantized dynamically with a scale per column.

    Nothing is written for a graph that the tool of ONNX Runtime cannot read. Raises StorageError if its
    external weights cannot be read.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # takes a while to import

    model = _tower(graph, output)
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")  # no advice on stderr
    try:
        quantize_dynamic(model, path, weight_type=QuantType.QInt8, per_channel=True)
    except OSError:
        raise
    except Exception:  # of any kind, by what it meets
        path.unlink(missing_ok=True)


def _tower(graph: Path, output: str) -> onnx.ModelProto:
    model = onnx.load_model_from_string(cut_tower(graph, [output]))
    try:
        load_external_data_for_model(model, str(graph.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise StorageError(f"the external weights of {graph} cannot be read: {error}") from error
    return model


def round_blocks(matrix: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Return codes (outer, blocks, 64) and scales (outer, blocks) of a matrix (inner, outer).

    A weight is (code - 128) * scale. The largest magnitude of a block has code 0, so that none is clipped.
    """
    inner, outer = matrix.shape
    blocks = np.ascontiguousarray(matrix.T).reshape(outer, inner // _BLOCK, _BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=-1)[..., None], axis=-1)
    scales = np.where(largest == 0, np.float32(1), largest / -_HALF).astype(np.float32)
    codes = np.clip(np.rint(blocks / scales) + _HALF, 0, 2 * _HALF - 1).astype(np.uint8)
    return codes, scales[..., 0]


class _Quantizer:
    """Quantizes the products and embedding tables of one graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._weights = {weight.name: weight for weight in graph.initializer}
        self._added: dict[str, onnx.TensorProto] = {}
        self._products = 0  # quantized ones

    def quantize(self, path: Path) -> None:
        """Quantize the graph in place. Raises InputError if there is nothing to quantize."""
        nodes = [made for node in self._graph.node for made in self._quantized(node)]
        if not self._products:
            raise InputError(
                expected=f"matrices of float32 in {path}",
                got="none",
                hint="use the export that is not quantized",
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

    def _quantized(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
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
        self, node: onnx.NodeProto, output: list[str], *, transposed: bool = False
    ) -> list[onnx.NodeProto]:
        """Return the product with quantized blocks; empty if its right operand is not a suitable matrix."""
        matrix = self._floats(node.input[1])
        if matrix is None or matrix.ndim != 2:
            return []
        matrix = matrix.T if transposed else matrix
        inner, outer = matrix.shape
        if inner % _BLOCK:
            return []
        self._products += 1
        codes, scales = round_blocks(matrix)
        names = (
            self._add(f"{node.input[1]}_codes{'_t' * transposed}", codes),
            self._add(f"{node.input[1]}_scales{'_t' * transposed}", scales.reshape(-1)),
        )
        sizes: dict[str, Any] = {"K": inner, "N": outer, "bits": 8, "block_size": _BLOCK}
        return [
            helper.make_node(
                "MatMulNBits",
                [node.input[0], *names],
                output,
                name=node.name,
                domain=_DOMAIN,
                accuracy_level=_ACCURACY_LEVEL,
                **sizes,
            )
        ]

    def _gemm(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        options = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if options.get("transA", 0) or options.get("alpha", 1.0) != 1.0 or options.get("beta", 1.0) != 1.0:
            return []
        has_bias = len(node.input) > 2 and node.input[2] != ""
        product = f"{node.output[0]}_product" if has_bias else node.output[0]
        made = self._product(node, [product], transposed=bool(options.get("transB", 0)))
        if made and has_bias:
            made.append(helper.make_node("Add", [product, node.input[2]], list(node.output)))
        return made

    def _table(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Return the gather of rows from a quantized table, with one scale per row."""
        table = self._floats(node.input[0])
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
        if table is None or table.ndim != 2 or len(table) < _MIN_TABLE_ROWS or axis != 0:
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
