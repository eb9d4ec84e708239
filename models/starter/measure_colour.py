"""Measure what colours ordinary pictures have: `python models/starter/measure_colour.py`.

Writes `colour_standard.json`, mean and deviation of each colour's share over the pictures of
`labels/colour_pictures.json`. None of them is a demo picture or one that figures are measured on.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime

import colour
from evaluate import open_rgb, pixels
from ingredients import PICTURES
from snapseek.distil.onnx_graph import Graph

HERE = Path(__file__).parent


def write_shares(path: Path) -> None:
    """Write a graph that gives only the colour shares of pictures."""
    graph = Graph("snapseek starter: colour shares")
    seen = graph.input("pixel_values", "float32", ["N", 3, colour.PICTURE_PX, colour.PICTURE_PX])
    graph.write(path, colour.shares(graph, seen), "shares", len(colour.NAMES), "")


def main() -> None:
    """Measure and write the constants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache/snapseek-build")
    work = parser.parse_args().work
    listed = json.loads((HERE / "labels/colour_pictures.json").read_text())
    paths = [PICTURES[name].fetch(work) / path for name, files in listed.items() for path in files]
    with TemporaryDirectory() as folder:
        write_shares(Path(folder) / "shares.onnx")
        session = onnxruntime.InferenceSession(Path(folder) / "shares.onnx")
    tensors = [pixels(open_rgb(path))[None] for path in paths]
    found = np.concatenate([session.run(None, {"pixel_values": tensor})[0] for tensor in tensors])
    constants = {
        "colours": colour.NAMES,
        "pictures": len(paths),
        "mean": [round(float(value), 4) for value in found.mean(0)],
        "deviation": [round(float(value), 4) for value in found.std(0)],
    }
    (HERE / "colour_standard.json").write_text(json.dumps(constants, indent=1) + "\n")


if __name__ == "__main__":
    main()
