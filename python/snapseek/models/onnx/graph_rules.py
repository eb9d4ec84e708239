"""Rules for an ONNX file from a stranger: what the tower of a CLIP model never needs is refused.

Only the structure of the file is read, and nothing is run. What these rules cannot bound, such as the size of
an intermediate value, is measured by a dry run (`models/hub/dry_run.py`).
"""

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from snapseek.errors import RENEW, ModelError
from snapseek.models.onnx.graph import Graph
from snapseek.models.onnx.graph_walk import Node, Part, Tensor, functions, walk
from snapseek.models.onnx.protobuf import bounded, mapped

MAX_GRAPH_BYTES = 2 << 30
"""Protocol buffers end at 2 GiB; larger models keep their weights in other files."""

MAX_NODES = 100_000
"""Nodes with every function expanded. A tower of 48 layers has 5,000."""

MAX_FUNCTIONS = 200
MAX_INPUTS = 8
MAX_AXIS = 8192
"""Size of an axis of an input: pictures have 2,048 pixels a side at most, texts 8,192 tokens."""

MAX_INPUT_ELEMENTS = 1 << 26
MAX_TENSOR_AXES = 8

_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"}
"""Operators of ONNX and those that ONNX Runtime fuses them to."""

_LOOPS = {"Loop", "Scan", "SequenceMap", "BeamSearch", "GreedySearch", "Sampling", "WhisperBeamSearch"}
_BINARIES = {"EPContext"}
"""Operators that load a compiled file for an accelerator."""

_MAX_UNUSED_BYTES = 1 << 20
"""Bytes of a file of weights after the last constant: exporters align to pages."""

_EXPORT = "use an export of the model by its authors"
_ITEM_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
"""Bytes of an element by the number of its type in ONNX."""


def check_graph(path: Path) -> None:
    """Raise ModelError if the ONNX file breaks a rule, with the rule and what breaks it."""
    size_bytes = path.stat().st_size
    if size_bytes > MAX_GRAPH_BYTES:
        raise _refused(f"a graph of at most {MAX_GRAPH_BYTES >> 30} GiB", f"{size_bytes} bytes in {path}")
    graph = Graph.read(path)
    try:
        content = mapped(path)
        with bounded():
            known = functions(content)
            parts = list(_limited(walk(content)))
    except (OSError, ValueError, IndexError) as error:
        raise ModelError(f"{path} is not a graph in the ONNX format: {error}", hint=RENEW) from error
    _check_inputs(path, graph)
    _check_operators(path, [node for node in parts if isinstance(node, Node)], known)
    sizes: dict[str, int] = {}
    used: Counter[str] = Counter()
    for tensor in parts:
        if isinstance(tensor, Tensor):
            _check_tensor(path, tensor, sizes, used)
    for name, end in used.items():
        if sizes[name] > end + _MAX_UNUSED_BYTES:
            raise _refused(f"a file of {end} bytes for the weights of {path}", f"{sizes[name]} in {name}")


def check_weights(graph: Path, root: Path, name: str) -> Path:
    """Return the path of a file with external weights of `graph`, which `root` must contain.

    A link is followed. It may lead to the folder of the graph's own file, as in the cache of a hub, where all
    files of a model are links into one folder. Raises ModelError for any other place, and for a missing file.
    """
    path = graph.parent / name
    if not name or Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
        raise _refused(f"the weights of {graph} next to it", f"{name!r}")
    if not path.is_file():
        raise ModelError(
            expected=f"the weights of {graph} in {path.name}",
            got=f"no such file in {path.parent}",
            hint="fetch it or copy it there",
        )
    found = path.resolve()
    if not (found.is_relative_to(root.resolve()) or found.parent == graph.resolve().parent):
        raise _refused(f"the weights of {graph} inside its folder", f"{name}, a link to {found}")
    return path


def _limited(parts: Iterable[Part]) -> Iterable[Part]:
    for count, item in enumerate(parts):
        if count > MAX_NODES:
            raise ValueError(f"it has more than {MAX_NODES} nodes and tensors")
        yield item


def _check_inputs(path: Path, graph: Graph) -> None:
    if len(graph.inputs) > MAX_INPUTS:
        raise _refused(f"at most {MAX_INPUTS} inputs in {path}", str(len(graph.inputs)))
    for shape in graph.inputs:
        fixed = [axis for axis in shape if axis is not None]
        too_large = any(not 1 <= axis <= MAX_AXIS for axis in fixed)
        if too_large or math.prod(fixed) > MAX_INPUT_ELEMENTS or len(shape) > MAX_TENSOR_AXES:
            raise _refused(
                f"inputs with axes of 1 to {MAX_AXIS} and at most {MAX_INPUT_ELEMENTS} elements in {path}",
                f"{list(shape)}",
            )


def _check_operators(path: Path, nodes: list[Node], known: set[tuple[str, str]]) -> None:
    for node in nodes:
        if (node.domain, node.op_type) in known:
            continue
        if node.domain not in _DOMAINS:
            raise _refused(
                f"operators of ONNX and ONNX Runtime in {path}",
                f"{node.op_type} of the domain {node.domain!r}",
            )
        if node.op_type in _LOOPS:
            raise _refused(f"no loops in {path}", f"the operator {node.op_type}")
        if node.op_type in _BINARIES:
            raise _refused(f"a graph without compiled parts in {path}", f"the operator {node.op_type}")
    if len(known) > MAX_FUNCTIONS:
        raise _refused(f"at most {MAX_FUNCTIONS} functions in {path}", str(len(known)))
    count = _expanded_nodes(nodes, known)
    if count > MAX_NODES:
        raise _refused(
            f"at most {MAX_NODES} nodes in {path} with its functions expanded",
            "functions that call one another without an end" if count == math.inf else f"{count:.3g}",
        )


def _expanded_nodes(nodes: list[Node], known: set[tuple[str, str]]) -> float:
    """Return the number of nodes when each call of a function is replaced by its nodes."""
    calls: dict[tuple[str, str] | None, Counter[tuple[str, str]]] = {}
    for node in nodes:
        calls.setdefault(node.function, Counter())[node.domain, node.op_type] += 1
    sizes: dict[tuple[str, str] | None, float] = {}

    def size(function: tuple[str, str] | None, depth: int) -> float:
        if depth > len(known):
            return math.inf
        if function not in sizes:
            inside = calls.get(function, Counter())
            sizes[function] = sum(
                times * (size(called, depth + 1) if called in known else 1)
                for called, times in inside.items()
            )
        return sizes[function]

    return size(None, 0)


def _check_tensor(path: Path, tensor: Tensor, sizes: dict[str, int], used: Counter[str]) -> None:
    if len(tensor.dims) > MAX_TENSOR_AXES or any(axis < 0 for axis in tensor.dims):
        raise _refused(
            f"constants with at most {MAX_TENSOR_AXES} axes in {path}", f"{list(tensor.dims)[:20]}"
        )
    needed = math.prod(tensor.dims) * _ITEM_BYTES.get(tensor.dtype, 0)
    if tensor.external:
        found = _external_bytes(path, tensor, sizes, used)
    elif tensor.raw_bytes is not None:
        found = tensor.raw_bytes
    else:  # a list of numbers takes at least a byte for each
        found = path.stat().st_size * max(_ITEM_BYTES.values())
    if found < needed:
        raise _refused(
            f"{needed} bytes for the constant {tensor.name!r:.80} of the shape {list(tensor.dims)} in {path}",
            str(found),
        )


def _external_bytes(path: Path, tensor: Tensor, sizes: dict[str, int], used: Counter[str]) -> int:
    """Return the bytes that the file with external weights has for a tensor, and note where they end."""
    name = tensor.external.get("location", "")
    if name not in sizes:
        sizes[name] = (path.parent / name).stat().st_size
    try:
        offset = int(tensor.external.get("offset") or 0)
        length = int(tensor.external.get("length") or sizes[name] - offset)
    except ValueError as error:
        raise _refused(f"an offset and a length of {tensor.name!r:.80} in {path}", str(error)) from error
    if offset < 0 or length < 0 or offset + length > sizes[name]:
        raise _refused(
            f"bytes {offset} to {offset + length} in {name}, the weights of {path}",
            f"a file of {sizes[name]} bytes",
        )
    used[name] = max(used[name], offset + length)
    return length


def _refused(expected: str, got: str) -> ModelError:
    return ModelError(expected=expected, got=got, hint=_EXPORT)
