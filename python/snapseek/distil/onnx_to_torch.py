"""Run an ONNX graph in PyTorch, to train its weights. Operators follow the ONNX standard."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, numpy_helper
from torch import nn
from torch.nn import functional

from snapseek.distil.prune_layers import TextGraph, attributes, chooses_rows
from snapseek.errors import ModelError

Attributes = Mapping[str, Any]
Operator = Callable[[list[Any], Attributes], Any]
_KINDS = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.INT64: torch.int64,
    TensorProto.INT32: torch.int32,
    TensorProto.BOOL: torch.bool,
}
_END = 2**31  # exports write a very large number for "to the end"


class Replay:
    """A text graph whose weights are parameters, by name in `weights`."""

    def __init__(self, graph: TextGraph) -> None:
        """Prepare the graph. Raises ModelError for an unsupported operator."""
        unknown = sorted({node.op_type for node in graph.nodes if node.domain or node.op_type not in _KNOWN})
        if unknown:
            raise ModelError(
                expected="a text tower in float32 of ONNX's own operators",
                got=", ".join(unknown),
                hint="take such an export of the teacher, or another --student",
            )
        self._graph = graph
        self.weights = {
            name: nn.Parameter(torch.from_numpy(np.array(value))) for name, value in graph.weights.items()
        }
        self._constants = {name: torch.from_numpy(np.array(value)) for name, value in graph.constants.items()}
        tables = graph.tables
        self._steps = [
            (
                _rows if chooses_rows(node) and node.input[0] in tables else _KNOWN[node.op_type],
                list(node.input),
                node.output,
                attributes(node),
            )
            for node in graph.nodes
        ]

    def __call__(self, feeds: Mapping[str, Any]) -> Any:
        """Return the output for inputs by name, as a differentiable tensor."""
        values = {"": None, **self._constants, **self.weights, **feeds}
        for operator, inputs, outputs, given in self._steps:
            made = operator([values[name] for name in inputs], given)
            values |= zip(outputs, made if isinstance(made, tuple) else (made,), strict=True)
        return values[self._graph.output]


def _plainly(function: Callable[..., Any]) -> Operator:
    return lambda inputs, _: function(*inputs)


def _divide(first: Any, second: Any) -> Any:
    whole = not (first.is_floating_point() or second.is_floating_point())
    return torch.div(first, second, rounding_mode="trunc" if whole else None)


def _cast(inputs: list[Any], given: Attributes) -> Any:
    if given["to"] not in _KINDS:
        name = TensorProto.DataType.Name(given["to"])
        raise ModelError(expected="a text tower in float32", got=f"numbers of the type {name} in it")
    return inputs[0].to(_KINDS[given["to"]])


def _rows(inputs: list[Any], _: Attributes) -> Any:
    """Return rows of a table, with sparse gradients."""
    table, indices = inputs
    return functional.embedding(indices % len(table), table, sparse=True)


def _gather(inputs: list[Any], given: Attributes) -> Any:
    rows, indices = inputs
    axis = given.get("axis", 0)
    gathered = rows.index_select(axis, indices.reshape(-1) % rows.shape[axis])
    return gathered.reshape((*rows.shape[:axis], *indices.shape, *rows.shape[axis:][1:]))


def _reshape(inputs: list[Any], given: Attributes) -> Any:
    value, wanted = inputs
    keeps_zeros = given.get("allowzero", 0)
    shape = [
        value.shape[axis] if not size and not keeps_zeros else size
        for axis, size in enumerate(wanted.tolist())
    ]
    return value.reshape(shape)


def _shape(inputs: list[Any], given: Attributes) -> Any:
    return torch.tensor(inputs[0].shape)[given.get("start", 0) : given.get("end")]


def _axes(inputs: list[Any], given: Attributes) -> list[int] | None:
    """Axes are an attribute in older graphs and the second input in newer ones."""
    if len(inputs) > 1 and inputs[1] is not None:
        return [int(axis) for axis in inputs[1].tolist()]
    return given.get("axes")


def _unsqueeze(inputs: list[Any], given: Attributes) -> Any:
    value = inputs[0]
    axes = _axes(inputs, given) or []
    for axis in sorted(axis % (value.ndim + len(axes)) for axis in axes):
        value = value.unsqueeze(axis)
    return value


def _squeeze(inputs: list[Any], given: Attributes) -> Any:
    axes = _axes(inputs, given)
    return inputs[0].squeeze() if axes is None else inputs[0].squeeze(tuple(axes))


def _slice(inputs: list[Any], _: Attributes) -> Any:
    value, starts, ends, *optional = inputs
    axes = optional[0].tolist() if optional and optional[0] is not None else range(len(starts))
    steps = optional[1].tolist() if len(optional) > 1 else [1] * len(starts)
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes, steps, strict=True):
        indices = range(value.shape[axis])[_bound(start) : _bound(end) : step]
        value = value.index_select(axis, torch.tensor(list(indices), dtype=torch.int64))
    return value


def _bound(index: int) -> int | None:
    return None if abs(index) >= _END else index


def _split(inputs: list[Any], given: Attributes) -> Any:
    value, axis = inputs[0], given.get("axis", 0)
    if len(inputs) > 1:
        return torch.split(value, inputs[1].tolist(), axis)
    return torch.chunk(value, given["num_outputs"], axis)


def _reduced(function: Callable[..., Any]) -> Operator:
    def reduce(inputs: list[Any], given: Attributes) -> Any:
        axes = _axes(inputs, given) or list(range(inputs[0].ndim))
        return function(inputs[0], dim=tuple(axes), keepdim=bool(given.get("keepdims", 1)))

    return reduce


def _norm(inputs: list[Any], given: Attributes) -> Any:
    value, scale, *shift = inputs
    shape = value.shape[given.get("axis", -1) :]
    return functional.layer_norm(value, shape, scale, *shift, eps=given.get("epsilon", 1e-5))


def _gemm(inputs: list[Any], given: Attributes) -> Any:
    first, second = (
        value.T if given.get(name) else value
        for value, name in zip(inputs[:2], ("transA", "transB"), strict=True)
    )
    product = given.get("alpha", 1.0) * (first @ second)
    return product if len(inputs) < 3 else product + given.get("beta", 1.0) * inputs[2]


def _filled(inputs: list[Any], given: Attributes) -> Any:
    value = torch.from_numpy(np.array(numpy_helper.to_array(given["value"]))) if "value" in given else 0.0
    return torch.zeros(inputs[0].tolist(), dtype=getattr(value, "dtype", None)) + value


def _flatten(inputs: list[Any], given: Attributes) -> Any:
    (value,) = inputs
    return value.reshape(math.prod(value.shape[: given.get("axis", 1)]), -1)


def _arg_max(inputs: list[Any], given: Attributes) -> Any:
    return inputs[0].int().argmax(given.get("axis", 0), keepdim=bool(given.get("keepdims", 1)))


def _gather_many(inputs: list[Any], given: Attributes) -> Any:
    if given.get("batch_dims", 0):
        raise ModelError("expected GatherND without batch_dims in the teacher's text tower")
    return inputs[0][tuple(inputs[1].unbind(-1))]


def _triangle(inputs: list[Any], given: Attributes) -> Any:
    diagonal = int(inputs[1]) if len(inputs) > 1 else 0
    return (torch.triu if given.get("upper", 1) else torch.tril)(inputs[0], diagonal)


_KNOWN: dict[str, Operator] = {
    "Abs": _plainly(torch.abs),
    "Add": _plainly(torch.add),
    "And": _plainly(torch.logical_and),
    "ArgMax": _arg_max,
    "Cast": _cast,
    "Clip": _plainly(torch.clamp),
    "Concat": lambda inputs, given: torch.cat(inputs, given["axis"]),
    "ConstantOfShape": _filled,
    "Cos": _plainly(torch.cos),
    "CumSum": lambda inputs, _: inputs[0].cumsum(int(inputs[1])),
    "Div": _plainly(_divide),
    "Equal": _plainly(torch.eq),
    "Erf": _plainly(torch.erf),
    "Exp": _plainly(torch.exp),
    "Expand": lambda inputs, _: inputs[0] * torch.ones(inputs[1].tolist(), dtype=inputs[0].dtype),
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": lambda inputs, given: inputs[0].gather(given.get("axis", 0), inputs[1]),
    "GatherND": _gather_many,
    "Gelu": lambda inputs, given: functional.gelu(
        inputs[0], approximate=given.get("approximate", b"none").decode()
    ),
    "Gemm": _gemm,
    "Greater": _plainly(torch.gt),
    "GreaterOrEqual": _plainly(torch.ge),
    "Identity": _plainly(lambda value: value),
    "IsNaN": _plainly(torch.isnan),
    "LayerNormalization": _norm,
    "Less": _plainly(torch.lt),
    "LessOrEqual": _plainly(torch.le),
    "Log": _plainly(torch.log),
    "MatMul": _plainly(torch.matmul),
    "Max": _plainly(torch.maximum),
    "Min": _plainly(torch.minimum),
    "Mul": _plainly(torch.mul),
    "Neg": _plainly(torch.neg),
    "Not": _plainly(torch.logical_not),
    "Or": _plainly(torch.logical_or),
    "Pow": _plainly(torch.pow),
    "Range": _plainly(lambda start, end, step: torch.arange(int(start), int(end), int(step))),
    "Reciprocal": _plainly(torch.reciprocal),
    "ReduceL2": _reduced(torch.linalg.vector_norm),
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceSum": _reduced(torch.sum),
    "Relu": _plainly(torch.relu),
    "Reshape": _reshape,
    "Shape": _shape,
    "Sigmoid": _plainly(torch.sigmoid),
    "Sin": _plainly(torch.sin),
    "Slice": _slice,
    "Softmax": lambda inputs, given: inputs[0].softmax(given.get("axis", -1)),
    "Split": _split,
    "Sqrt": _plainly(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _plainly(torch.sub),
    "Tanh": _plainly(torch.tanh),
    "Transpose": lambda inputs, given: inputs[0].permute(given["perm"]),
    "Trilu": _triangle,
    "Unsqueeze": _unsqueeze,
    "Where": _plainly(torch.where),
}
