"""Inspect an ONNX file without loading it.

Only names, operators and types are read. Weights are skipped, so a graph of a gigabyte costs a few pages.
"""

from dataclasses import dataclass
from pathlib import Path

from snapseek.errors import RENEW, ModelError
from snapseek.models.onnx.graph_walk import Tensor, walk
from snapseek.models.onnx.protobuf import Value, bounded, fields, mapped, part, text

_FLOAT16, _INT8 = 10, 3
_DYNAMICALLY_QUANTIZED = {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
_PICKLES = (b"\x80", b"PK\x03\x04")

_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_PORT_NAME = 1
_NODE_OP_TYPE = 4
_TENSOR_DIMS, _TENSOR_TYPE = 1, 2
_INPUT_TYPE, _TYPE_TENSOR, _TENSOR_SHAPE, _SHAPE_AXIS, _AXIS_SIZE = 2, 1, 2, 1, 1


@dataclass(frozen=True)
class Graph:
    """Properties of an ONNX file.

    Attributes
    ----------
    half
        Whether it has float16 matrices.
    dynamic
        Whether it is dynamically quantized: then the scale of a value depends on the whole batch.
    signed
        Whether it has int8 matrices. Quantized ones may be uint8 instead.
    external
        Names of the files with its external weights.
    inputs
        Shapes of the inputs; a dynamic axis is None.
    outputs
        Names of the outputs.
    """

    half: bool
    dynamic: bool
    signed: bool
    external: tuple[str, ...]
    inputs: tuple[tuple[int | None, ...], ...]
    outputs: tuple[str, ...]

    @property
    def has_both_towers(self) -> bool:
        """Whether it takes texts and pictures, so that one tower is a part of it."""
        return {2, 4} <= {len(shape) for shape in self.inputs}

    @property
    def picture_side_px(self) -> int | None:
        """The fixed side of the pictures that it takes, None if it is dynamic."""
        pictures = (shape for shape in self.inputs if len(shape) == 4)
        return next((shape[2] for shape in pictures), None)

    @classmethod
    def read(cls, path: Path) -> "Graph":
        """Inspect the file at `path`. Raises ModelError if it is damaged or not ONNX."""
        try:
            content = mapped(path)
            refuse_pickle(path, bytes(content[:4]))
            with bounded():
                return _inspect(content)
        except (OSError, ValueError, IndexError) as error:
            raise ModelError(f"{path} is not a graph in the ONNX format: {error}", hint=RENEW) from error


def refuse_pickle(path: Path, start: bytes) -> None:
    """Raise ModelError for a file that starts like a pickle: loading one runs arbitrary code."""
    if start.startswith(_PICKLES):
        raise pickle_error(path)


def pickle_error(path: Path | str) -> ModelError:
    """Return the error for a pickle in place of a model."""
    return ModelError(
        expected="an ONNX graph",
        got=f"{path}, a pickle that runs arbitrary code when it is loaded",
        hint="use an ONNX export of the model",
    )


def _inspect(model: memoryview) -> Graph:
    half, dynamic, signed, inputs = False, False, False, []
    outputs: list[str] = []
    graphs = [value for field, value in fields(model) if field == _MODEL_GRAPH]
    if not graphs:
        raise ValueError("it holds no graph")
    for field, value in (pair for graph in graphs for pair in fields(part(graph))):
        if field == _GRAPH_NODE:
            kinds = {text(kind) for number, kind in fields(part(value)) if number == _NODE_OP_TYPE}
            dynamic = dynamic or bool(kinds & _DYNAMICALLY_QUANTIZED)
        elif field == _GRAPH_INITIALIZER:
            tensor = list(fields(part(value)))
            half = half or _is_matrix(tensor, _FLOAT16)
            signed = signed or _is_matrix(tensor, _INT8)
        elif field == _GRAPH_INPUT:
            inputs.append(_shape(part(value)))
        elif field == _GRAPH_OUTPUT:
            outputs += [text(name) for number, name in fields(part(value)) if number == _PORT_NAME]
    return Graph(half, dynamic, signed, _external(model), tuple(inputs), tuple(outputs))


def _external(model: memoryview) -> tuple[str, ...]:
    tensors = (item for item in walk(model) if isinstance(item, Tensor) and item.external)
    return tuple(dict.fromkeys(tensor.external.get("location", "") for tensor in tensors))


def _shape(declared: memoryview) -> tuple[int | None, ...]:
    parts = [declared]
    for wanted in (_INPUT_TYPE, _TYPE_TENSOR, _TENSOR_SHAPE, _SHAPE_AXIS):
        parts = [part(value) for each in parts for field, value in fields(each) if field == wanted]
    axes = [dict(fields(each)).get(_AXIS_SIZE) for each in parts]
    return tuple(axis if isinstance(axis, int) else None for axis in axes)


def _is_matrix(tensor: list[tuple[int, Value]], dtype: int) -> bool:
    """Return whether a tensor has that type and two axes or more; float16 scalars can be run."""
    axes = sum(
        1 if isinstance(value, int) else sum(byte < 0x80 for byte in value)  # packed varints
        for field, value in tensor
        if field == _TENSOR_DIMS
    )
    return axes > 1 and (_TENSOR_TYPE, dtype) in tensor
