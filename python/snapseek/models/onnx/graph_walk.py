"""Walk the nodes and tensors of an ONNX file, also those in subgraphs, functions and attributes."""

from collections.abc import Iterator
from dataclasses import dataclass

from snapseek.models.onnx.protobuf import Value, fields, number_list, part, text

_MAX_DEPTH = 8
"""Nested subgraphs; exports of towers have at most two."""

_MODEL_GRAPH, _MODEL_FUNCTION = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_OP_TYPE, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES = 22, 23
_FUNCTION_NAME, _FUNCTION_NODE, _FUNCTION_DOMAIN = 1, 7, 10
_SPARSE_VALUES, _SPARSE_INDICES = 1, 2
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_EXTERNAL = 1
_ENTRY_KEY, _ENTRY_VALUE = 1, 2


_NOTHING = memoryview(b"")


@dataclass(frozen=True)
class Tensor:
    """A constant of a graph. `external` has `location`, `offset` and `length`; empty if it is in the file.

    `raw_bytes` is the size of its bytes in the file, None if they are stored in another field.
    """

    name: str
    dims: tuple[int, ...]
    dtype: int
    raw_bytes: int | None
    external: dict[str, str]

    @classmethod
    def read(cls, message: memoryview) -> "Tensor":
        """Read a TensorProto without its values. Raises ValueError or IndexError if it is damaged."""
        dims: list[int] = []
        scalars: dict[int, Value] = {}
        external: dict[str, str] = {}
        for field, value in fields(message):
            if field == _TENSOR_DIMS:
                dims += number_list(value)
            elif field == _TENSOR_EXTERNAL:
                entry = dict(fields(part(value)))
                external[text(entry.get(_ENTRY_KEY, _NOTHING))] = text(entry.get(_ENTRY_VALUE, _NOTHING))
            elif field in (_TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW, _TENSOR_LOCATION):
                scalars[field] = value
        raw = scalars.get(_TENSOR_RAW)
        dtype = scalars.get(_TENSOR_TYPE, 0)
        return cls(
            name=text(scalars.get(_TENSOR_NAME, _NOTHING)),
            dims=tuple(dims),
            dtype=dtype if isinstance(dtype, int) else 0,
            raw_bytes=None if raw is None else len(part(raw)),
            external=external if scalars.get(_TENSOR_LOCATION) == _EXTERNAL else {},
        )


@dataclass(frozen=True)
class Node:
    """An operator, `function` where it is part of a function of the file."""

    domain: str
    op_type: str
    function: tuple[str, str] | None = None


Part = Node | Tensor


def walk(model: memoryview) -> Iterator[Part]:
    """Yield every node and tensor of a model. Raises ValueError or IndexError if it is damaged."""
    for field, value in fields(model):
        if field == _MODEL_GRAPH:
            yield from _graph_parts(part(value), None, _MAX_DEPTH)
        elif field == _MODEL_FUNCTION:
            yield from _function_parts(part(value))


def functions(model: memoryview) -> set[tuple[str, str]]:
    """Return domain and name of each function that the file defines."""
    return {_function_key(part(value)) for field, value in fields(model) if field == _MODEL_FUNCTION}


def _function_key(function: memoryview) -> tuple[str, str]:
    named = {field: value for field, value in fields(function) if field in (_FUNCTION_NAME, _FUNCTION_DOMAIN)}
    return text(named.get(_FUNCTION_DOMAIN, _NOTHING)), text(named.get(_FUNCTION_NAME, _NOTHING))


def _function_parts(function: memoryview) -> Iterator[Part]:
    key = _function_key(function)
    for field, value in fields(function):
        if field == _FUNCTION_NODE:
            yield from _node_parts(part(value), key, _MAX_DEPTH)


def _graph_parts(graph: memoryview, function: tuple[str, str] | None, depth: int) -> Iterator[Part]:
    if depth == 0:
        raise ValueError(f"subgraphs more than {_MAX_DEPTH} deep")
    for field, value in fields(graph):
        if field == _GRAPH_NODE:
            yield from _node_parts(part(value), function, depth)
        elif field == _GRAPH_INITIALIZER:
            yield Tensor.read(part(value))
        elif field == _GRAPH_SPARSE:
            yield from _sparse_parts(part(value))


def _node_parts(node: memoryview, function: tuple[str, str] | None, depth: int) -> Iterator[Part]:
    domain = op_type = ""
    for field, value in fields(node):
        if field == _NODE_OP_TYPE:
            op_type = text(value)
        elif field == _NODE_DOMAIN:
            domain = text(value)
        elif field == _NODE_ATTRIBUTE:
            yield from _attribute_parts(part(value), function, depth)
    yield Node(domain, op_type, function)


def _attribute_parts(attribute: memoryview, function: tuple[str, str] | None, depth: int) -> Iterator[Part]:
    for field, value in fields(attribute):
        if field in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
            yield Tensor.read(part(value))
        elif field in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
            yield from _graph_parts(part(value), function, depth - 1)
        elif field in (_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES):
            yield from _sparse_parts(part(value))


def _sparse_parts(sparse: memoryview) -> Iterator[Part]:
    for field, value in fields(sparse):
        if field in (_SPARSE_VALUES, _SPARSE_INDICES):
            yield Tensor.read(part(value))
