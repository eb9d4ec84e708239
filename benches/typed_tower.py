"""A model whose text tower costs what a ViT-B/32's costs and answers with rows of a table.

    python -m benches.typed_tower MODEL OUT LIBRARY COPY [--precision int8]

MODEL is a model of words and rows, as benches/million_library.py writes it. OUT gets the same, but for a text
tower that runs the transformer of benches/text_tower.py as well: what that answers is multiplied by 0 and
added, so the queries of a large made-up library are as dear as real ones. It has its true size, random
weights, and a precision of float32, int8 as such towers are published, or blocks, as `snapseek distil
--student int8` writes them. COPY gets the LIBRARY as that model's: its shards are linked, not copied.
"""

import argparse
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from benches import text_tower
from snapseek import Encoder
from snapseek.distil.quantize_int8 import write_quantized

_TABLE, _ADDED = "table_embeds", "tower_nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("library", type=Path)
    parser.add_argument("copy", type=Path)
    parser.add_argument("--precision", choices=("float32", "int8", "blocks"), default="int8")
    given = parser.parse_args()
    write_typed_model(given.model, given.out, given.precision)
    adopt(given.library, given.copy, given.out)


def write_typed_model(model: Path, out: Path, precision: str = "int8") -> None:
    """`out` is `model`, but that its text tower is as dear as ViT-B/32's."""
    shutil.copytree(model, out, dirs_exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "tower.onnx"
        text_tower.write_tower(path)
        small = path.with_name("small.onnx")
        if precision == "int8":
            quantize_dynamic(path, small, weight_type=QuantType.QInt8)
        elif precision == "blocks":
            write_quantized(path, "text_embeds", small)
        tower = onnx.load(path if precision == "float32" else small)
    table = onnx.load(out / "onnx" / "text_model.onnx")
    onnx.save(_both(table, tower), out / "onnx" / "text_model.onnx")


def _both(table: onnx.ModelProto, tower: onnx.ModelProto) -> onnx.ModelProto:
    _rename(tower.graph, "tower_")
    for node in table.graph.node:
        node.output[:] = [_TABLE if name == "text_embeds" else name for name in node.output]
    zero = numpy_helper.from_array(np.float32(0), "tower_zero")
    graph = table.graph
    graph.node.extend(tower.graph.node)
    graph.node.append(helper.make_node("Mul", ["tower_text_embeds", "tower_zero"], [_ADDED]))
    graph.node.append(helper.make_node("Add", [_TABLE, _ADDED], ["text_embeds"]))
    graph.initializer.extend([*tower.graph.initializer, zero])
    opsets = {entry.domain: entry.version for entry in [*table.opset_import, *tower.opset_import]}
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid(*entry) for entry in opsets.items()], ir_version=9
    )


def _rename(graph: onnx.GraphProto, prefix: str) -> None:
    """Put a prefix before every name in a graph but those of its inputs."""
    kept = {entry.name for entry in graph.input} | {""}

    def renamed(names: list[str]) -> list[str]:
        return [name if name in kept else prefix + name for name in names]

    for node in graph.node:
        node.name = prefix + node.name if node.name else ""
        node.input[:], node.output[:] = renamed(list(node.input)), renamed(list(node.output))
    for weight in graph.initializer:
        weight.name = prefix + weight.name


def adopt(library: Path, copy: Path, model: Path) -> None:
    """`copy` is `library`, made by `model` as its database tells."""
    shutil.copytree(library, copy, copy_function=os.link, ignore=shutil.ignore_patterns("library.db*"))
    with (
        closing(sqlite3.connect(library / "library.db")) as source,
        closing(sqlite3.connect(copy / "library.db")) as target,
    ):
        source.backup(target)
        settings = {"model": str(model.absolute()), "fingerprint": Encoder.load(model).space}
        target.executemany(
            "UPDATE settings SET value = ? WHERE name = ?", [(b, a) for a, b in settings.items()]
        )
        target.commit()


if __name__ == "__main__":
    main()
