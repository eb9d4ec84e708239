"""ONNX graphs of a hostile author, each made from the text tower of the tiny model."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from snapseek.models.onnx.protobuf import encoded

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
GRAPH = "onnx/text_model.onnx"
Edit = Callable[[Path], object]


def node(kind, inputs, outputs, **settings):
    return helper.make_node(kind, inputs, outputs, **settings)


def numbers(name, *values, dtype=np.int64):
    return numpy_helper.from_array(np.array(values, dtype), name)


def extended(nodes, weights=(), functions=(), imports=()) -> Edit:
    """Add nodes with the output `extra`, of one element, to the sum that the tower returns."""

    def edit(folder: Path) -> None:
        model = onnx.load(folder / GRAPH)
        model.graph.node[-1].output[0] = "base"
        model.graph.node.extend([*nodes, node("Add", ["base", "extra"], ["text_embeds"])])
        model.graph.initializer.extend(weights)
        model.functions.extend(functions)
        model.opset_import.extend([helper.make_opsetid(domain, 1) for domain in imports])
        (folder / GRAPH).write_bytes(model.SerializeToString())

    return edit


def sized(kind_nodes, *weights) -> Edit:
    """Add nodes with a large output `huge`, which is summed up."""
    return extended([*kind_nodes, node("ReduceSum", ["huge"], ["extra"], keepdims=0)], weights)


def changed(change: Callable[[onnx.ModelProto], object]) -> Edit:
    def edit(folder: Path) -> None:
        model = onnx.load(folder / GRAPH)
        change(model)
        (folder / GRAPH).write_bytes(model.SerializeToString())

    return edit


def tensor(dims=(1,), name="extra", dtype=FLOAT, **external) -> TensorProto:
    made = TensorProto(name=name, data_type=dtype)
    made.dims.extend(dims)
    if external:
        made.data_location = TensorProto.EXTERNAL
        for key, value in external.items():
            made.external_data.add(key=key, value=str(value))
    return made


def weights_at(location, dims=(1,), prepare: Edit | None = None, where="graph", **more) -> Edit:
    """Keep the constant `extra` in another file, and name it in a part of the graph."""

    def edit(folder: Path) -> None:
        if prepare is not None:
            prepare(folder)
        made = tensor(dims, location=str(location).format(outside=folder.parent / "outside.bin"), **more)
        if where == "graph":
            extended([], [made])(folder)
        elif where == "attribute":
            extended([node("Constant", [], ["extra"], value=made)])(folder)
        else:
            output = helper.make_tensor_value_info("extra", FLOAT, [1])
            branch = helper.make_graph([], "branch", [], [output], [made])
            choose = node("If", ["yes"], ["extra"], then_branch=branch, else_branch=branch)
            extended([choose], [yes()])(folder)

    return edit


def yes():
    return numpy_helper.from_array(np.array(True), "yes")


def outside(folder: Path) -> None:
    (folder.parent / "outside.bin").write_bytes(bytes(64))


def link(folder: Path) -> None:
    outside(folder)
    (folder / "onnx" / "weights.bin").symlink_to(folder.parent / "outside.bin")


def linked_folder(folder: Path) -> None:
    outside(folder)
    (folder / "onnx" / "more").symlink_to(folder.parent, target_is_directory=True)


def sparse(size_bytes: int, name="onnx/weights.bin") -> Edit:
    def edit(folder: Path) -> None:
        with (folder / name).open("ab") as file:
            os.truncate(file.fileno(), size_bytes)

    return edit


def both(*edits: Edit) -> Edit:
    def edit(folder: Path) -> None:
        for each in edits:
            each(folder)

    return edit


def loop(inside_of: str = "") -> Edit:
    """Count for ever, in the graph or in a branch of it."""
    ports = [helper.make_tensor_value_info("i", INT64, []), helper.make_tensor_value_info("go", BOOL, [])]
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"])], "body", ports, [helper.make_tensor_value_info("on", BOOL, [])]
    )
    state = [helper.make_tensor_value_info("s", FLOAT, [1]), helper.make_tensor_value_info("t", FLOAT, [1])]
    body.input.append(state[0])
    body.output.append(state[1])
    body.node.append(node("Identity", ["s"], ["t"]))
    forever = node("Loop", ["", "yes", "start"], ["extra" if not inside_of else "inner"], body=body)
    weights = [yes(), numbers("start", 0, dtype=np.float32)]
    if not inside_of:
        return extended([forever], weights)
    branch = helper.make_graph([forever], "branch", [], [helper.make_tensor_value_info("inner", FLOAT, [1])])
    return extended([node("If", ["yes"], ["extra"], then_branch=branch, else_branch=branch)], weights)


def scan() -> Edit:
    state = [helper.make_tensor_value_info(name, FLOAT, [1]) for name in ("s", "t")]
    item = helper.make_tensor_value_info("x", FLOAT, [1])
    body = helper.make_graph([node("Add", ["s", "x"], ["t"])], "body", [state[0], item], [state[1]])
    rows = node("ConstantOfShape", ["size"], ["rows"])
    step = node("Scan", ["start", "rows"], ["extra"], body=body, num_scan_inputs=1)
    return extended([rows, step], [numbers("size", 1 << 28, 1), numbers("start", 0, dtype=np.float32)])


def function(name, calls) -> onnx.FunctionProto:
    steps = [
        node(kind, ["x" if not i else f"v{i}"], [f"v{i + 1}"], domain=domain)
        for i, (kind, domain) in enumerate(calls)
    ]
    steps.append(node("Identity", [f"v{len(calls)}"], ["y"]))
    return helper.make_function(
        "local", name, ["x"], ["y"], steps, [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    )


def doubling(count: int) -> Edit:
    """Define functions that each call the one before twice: 2 ** count nodes."""
    made = [function("F0", [("Identity", "")])]
    made += [function(f"F{i}", [(f"F{i - 1}", "local")] * 2) for i in range(1, count)]
    call = node(f"F{count - 1}", ["one"], ["extra"], domain="local")
    return extended([call], [numbers("one", 0, dtype=np.float32)], made, ["local"])


def calling_itself() -> Edit:
    call = node("F", ["one"], ["extra"], domain="local")
    return extended(
        [call], [numbers("one", 0, dtype=np.float32)], [function("F", [("F", "local")])], ["local"]
    )


def squaring() -> Edit:
    """Multiply a column by a row, again and again, until the product has 10 ** 12 elements."""
    nodes, name = [], "seed"
    for step in range(3):
        nodes += [
            node("Reshape", [name, "upright"], [f"c{step}"]),
            node("Reshape", [name, "flat"], [f"r{step}"]),
            node("Mul", [f"c{step}", f"r{step}"], [f"p{step}"]),
        ]
        name = f"p{step}"
    nodes[-1].output[0] = "huge"
    seed = numpy_helper.from_array(np.zeros(40, np.float32), "seed")
    return sized(nodes, seed, numbers("upright", -1, 1), numbers("flat", 1, -1))


def slow() -> Edit:
    """Multiply matrices for minutes; every value is small."""
    nodes = [node("ConstantOfShape", ["size"], ["m0"])]
    nodes += [node("MatMul", [f"m{i}", "m0"], [f"m{i + 1}"]) for i in range(3000)]
    nodes[-1].output[0] = "huge"
    # A value that depends on the text is not folded while the graph is loaded.
    nodes[0:1] = [
        node("ConstantOfShape", ["size"], ["zeros"]),
        node("Cast", ["input_ids"], ["ids"], to=FLOAT),
        node("ReduceMean", ["ids"], ["mean"], keepdims=0),
        node("Add", ["zeros", "mean"], ["m0"]),
    ]
    return sized(nodes, numbers("size", 1500, 1500))


def fixed_input(*shape) -> Edit:
    def change(model):
        for port in model.graph.input:
            for axis, size in zip(port.type.tensor_type.shape.dim, shape, strict=True):
                axis.dim_value = size

    return changed(change)


def more_inputs(count) -> Edit:
    return changed(
        lambda model: model.graph.input.extend(
            helper.make_tensor_value_info(f"type_{i}", INT64, ["batch", "length"]) for i in range(count)
        )
    )


def renamed_input(model):
    model.graph.input[1].name = model.graph.input[0].name


def without_input(model):
    del model.graph.input[0]


def twice_the_output(model):
    model.graph.node.append(model.graph.node[-1])


def wide(model):
    """Return vectors of 300,000 dimensions."""
    model.graph.node[-1].output[0] = "base"
    model.graph.node.append(node("Tile", ["base", "times"], ["text_embeds"]))
    model.graph.initializer.append(numbers("times", 1, 100_000))


def nested(folder: Path) -> None:
    """Write an attribute in a graph in an attribute in a graph, 5,000 deep."""
    content = b""
    for _ in range(5000):
        content = encoded(1, encoded(5, encoded(6, content)))
    path = folder / GRAPH
    path.write_bytes(path.read_bytes() + encoded(7, content))


def long_name(folder: Path) -> None:
    """Append a node whose operator has a name of 1.5 GB, a hole in the file."""
    size = 3 << 29
    path = folder / GRAPH
    starts = b""
    for field in (4, 1, 7):  # the name of the operator, in a node, in the graph
        length, left = bytearray(), size + len(starts)
        while left > 0x7F:
            length.append(left & 0x7F | 0x80)
            left >>= 7
        starts = bytes([field << 3 | 2]) + bytes(length) + bytes([left]) + starts
    with path.open("ab") as file:
        file.write(starts)
        file.flush()
        os.truncate(file.fileno(), file.tell() + size)


def many_fields(folder: Path) -> None:
    path = folder / GRAPH
    path.write_bytes(path.read_bytes() + b"\x08\x07" * 10_000_000)


def truncated(folder: Path) -> None:
    path = folder / GRAPH
    path.write_bytes(path.read_bytes()[:-20])


GRAPHS: dict[str, tuple[Edit, str]] = {
    "weights at an absolute path": (weights_at("{outside}", prepare=outside), "next to it"),
    "weights of the system": (weights_at("/etc/hostname"), "next to it"),
    "weights above the folder": (weights_at("../../outside.bin", prepare=outside), "next to it"),
    "weights above, by way of the folder": (
        weights_at("a/../../../outside.bin", prepare=outside),
        "next to it",
    ),
    "weights behind a link": (weights_at("weights.bin", prepare=link), "inside its folder"),
    "weights behind a linked folder": (
        weights_at("more/outside.bin", prepare=linked_folder),
        "inside its folder",
    ),
    "weights without a name": (weights_at(""), "next to it"),
    "weights that are missing": (weights_at("weights.bin"), "no such file"),
    "weights in a pipe": (
        weights_at("pipe", prepare=lambda f: os.mkfifo(f / "onnx" / "pipe")),
        "no such file",
    ),
    "weights in an attribute": (weights_at("{outside}", prepare=outside, where="attribute"), "next to it"),
    "weights in a branch": (weights_at("{outside}", prepare=outside, where="branch"), "next to it"),
    "an offset behind the end": (weights_at("weights.bin", prepare=sparse(64), offset=1 << 40), "bytes"),
    "a negative offset": (weights_at("weights.bin", prepare=sparse(64), offset=-8), "bytes"),
    "an offset in words": (weights_at("weights.bin", prepare=sparse(64), offset="all"), "offset"),
    "a file of 200 GB for four bytes": (
        weights_at("weights.bin", prepare=sparse(200 << 30), offset=0, length=4),
        "a file of 4 bytes",
    ),
    "a constant of 200 GB": (
        weights_at("weights.bin", dims=(50 << 30,), prepare=sparse(200 << 30)),
        "of at most .* GB on this machine",
    ),
    "a graph of 30 GB": (sparse(30 << 30, GRAPH), "a graph|too many fields|not a graph"),
    "a constant without data": (extended([], [tensor((1 << 40,))]), "bytes for the constant"),
    "a constant with a negative axis": (extended([], [tensor((-1, -4))]), "axes"),
    "a constant whose size overflows": (extended([], [tensor((1 << 62, 4))]), "bytes for the constant"),
    "a constant with 1,000 axes": (extended([], [tensor((1,) * 1000)]), "axes"),
    "an operator of another domain": (
        extended(
            [node("Steal", ["one"], ["extra"], domain="com.evil")], [numbers("one", 0)], (), ["com.evil"]
        ),
        "the domain 'com.evil'",
    ),
    "a compiled part": (
        extended(
            [node("EPContext", [], ["extra"], domain="com.microsoft", ep_cache_context="../x.so")],
            (),
            (),
            ["com.microsoft"],
        ),
        "EPContext",
    ),
    "a loop without an end": (loop(), "no loops"),
    "a loop in a branch": (loop("If"), "no loops"),
    "a scan of 268 million rows": (scan(), "no loops"),
    "functions that double 40 times": (doubling(40), "at most 100000 nodes"),
    "a function that calls itself": (calling_itself(), "without an end"),
    "400 GB by ConstantOfShape": (
        sized([node("ConstantOfShape", ["size"], ["huge"])], numbers("size", 100_000, 1_000_000)),
        "GB of memory",
    ),
    "400 GB by Expand": (
        sized(
            [node("Expand", ["one", "size"], ["huge"])],
            numbers("one", 1, dtype=np.float32),
            numbers("size", 10**11),
        ),
        "GB of memory",
    ),
    "400 GB by Tile": (
        sized(
            [node("Tile", ["one", "size"], ["huge"])],
            numbers("one", 1, dtype=np.float32),
            numbers("size", 10**11),
        ),
        "GB of memory|cannot be run",
    ),
    "400 GB by Range": (
        sized(
            [node("Range", ["zero", "end", "one"], ["huge"])],
            *(
                numpy_helper.from_array(np.float32(value), name)
                for name, value in (("zero", 0), ("end", 1e11), ("one", 1))
            ),
        ),
        "GB of memory|cannot be",
    ),
    "25 TB by products": (squaring(), "GB of memory"),
    "minutes of products": (slow(), r"more than \d+ seconds|within \d+ seconds"),
    "vectors of 300,000 dimensions": (changed(wide), "dimensions"),
    "a batch of a billion": (fixed_input(10**9, 6), "axes of 1 to"),
    "texts of a billion tokens": (fixed_input(1, 10**9), "axes of 1 to"),
    "a negative batch": (fixed_input(-5, 6), "axes of 1 to"),
    "40 inputs": (more_inputs(40), "at most 8 inputs"),
    "an input twice": (changed(renamed_input), "can load"),
    "a missing input": (changed(without_input), "can load|token ids"),
    "an output twice": (changed(twice_the_output), "can load"),
    "graphs 5,000 deep": (nested, "deep|not a graph"),
    "an operator with a name of 1.5 GB": (long_name, "a name of"),
    "ten million fields": (many_fields, "too many fields"),
    "a file that ends early": (truncated, "not a graph|can load"),
}
