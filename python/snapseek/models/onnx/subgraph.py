"""Extract one tower from a graph that holds both.

ONNX Runtime runs every node of a graph for any output, so a text query would run the image tower too.
"""

from collections.abc import Iterable
from pathlib import Path

from snapseek.errors import RENEW, ModelError
from snapseek.models.onnx.protobuf import Value, encoded, encoded_number, fields, mapped, part, text

_MODEL_GRAPH = 7
_NODE, _NAME, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE = 1, 2, 5, 11, 12, 15
_NODE_INPUT, _NODE_OUTPUT, _NODE_ATTRIBUTE = 1, 2, 5
_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 6, 11
_PORT_NAME, _TENSOR_NAME = 1, 8


def cut_tower(path: Path, outputs: Iterable[str]) -> bytes:
    """Return the ONNX model with the nodes that these outputs need. Raises ModelError if it is damaged."""
    try:
        return b"".join(_model_field(field, value, set(outputs)) for field, value in fields(mapped(path)))
    except (OSError, ValueError, IndexError) as error:
        raise ModelError(f"{path} is not a graph in the ONNX format: {error}", hint=RENEW) from error


def _model_field(field: int, value: Value, outputs: set[str]) -> bytes:
    if isinstance(value, int):
        return encoded_number(field, value)
    return encoded(field, _cut_graph(value, outputs) if field == _MODEL_GRAPH else value)


def _cut_graph(graph: memoryview, outputs: set[str]) -> bytes:
    parts = [(field, part(value)) for field, value in fields(graph) if not isinstance(value, int)]
    kept, used = _reached([value for field, value in parts if field == _NODE], outputs)
    names = {_INITIALIZER: _TENSOR_NAME, _INPUT: _PORT_NAME}
    kept_parts = []
    for field, value in parts:
        if (
            (field == _NODE and id(value) in kept)
            or field in (_NAME, _SPARSE)
            or (field == _OUTPUT and _names(value, _PORT_NAME) <= outputs)
            or (field in names and _names(value, names[field]) <= used)
        ):
            kept_parts.append(encoded(field, value))
    return b"".join(kept_parts)


def _reached(nodes: list[memoryview], outputs: set[str]) -> tuple[set[int], set[str]]:
    """Return the nodes that the outputs depend on, and the names of all values that these use."""
    kept: set[int] = set()
    used = set(outputs)
    for node in reversed(nodes):  # ONNX sorts nodes topologically
        if _names(node, _NODE_OUTPUT) & used:
            kept.add(id(node))
            used |= _needs(node)
    return kept, used


def _needs(node: memoryview) -> set[str]:
    """Return the inputs of a node, and the outer values that its subgraphs use."""
    needed = _names(node, _NODE_INPUT)
    for field, value in fields(node):
        if field == _NODE_ATTRIBUTE:
            for kind, inner in fields(part(value)):
                if kind in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                    inside = (part(each) for number, each in fields(part(inner)) if number == _NODE)
                    needed |= {name for each in inside for name in _needs(each)}
    return needed


def _names(message: memoryview, wanted: int) -> set[str]:
    return {text(value) for field, value in fields(message) if field == wanted} - {""}
