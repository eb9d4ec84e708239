"""The colour block: twelve colour names, seen in a picture or said in a query."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapseek.distil.onnx_graph import Graph

PICTURE_PX = 256
POOL_PX = 8
SIDE = PICTURE_PX // POOL_PX
NAMES = [
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
    "grey",
    "turquoise",
]
SPREAD = 14.0  # how far in Lab an anchor reaches

# sRGB anchors of each name; the last entry, skin, belongs to no name and keeps faces out of orange and pink.
ANCHORS = {
    "red": ("c8102e", "e4202c", "8b0f1a", "d6453d"),
    "orange": ("f58220", "e8641b", "ffa340"),
    "yellow": ("ffd800", "f4e04d", "d9b310", "fff27a"),
    "green": ("2e8b37", "1f5c2a", "6fae3a", "94c973", "556b2f"),
    "blue": ("1f4fbf", "12306e", "4a90d9", "8fbfe8", "2a6fa8"),
    "purple": ("6a2c91", "8f5fbf", "4b2a66"),
    "pink": ("f48fb1", "e75480", "f9c6d3"),
    "brown": ("6b4423", "8b5a2b", "4a2f1b", "a0764a"),
    "black": ("0a0a0a", "1e1e20"),
    "white": ("ffffff", "f2f2f0"),
    "grey": ("808080", "a9a9aa", "595a5c"),
    "turquoise": ("1fb5ad", "40c9c6", "0f7f80"),
    "skin": ("e6b89c", "c68863", "f1cdb5"),
}

# Words of a query and the colours that they mean; implied colours count less than said ones.
SAID = {
    **{name: {name: 1.0} for name in NAMES},
    "gray": {"grey": 1.0},
    "violet": {"purple": 1.0},
    "golden": {"yellow": 0.7, "orange": 0.4},
    "scarlet": {"red": 1.0},
    "crimson": {"red": 1.0},
    "cyan": {"turquoise": 1.0},
    "teal": {"turquoise": 1.0},
    "navy": {"blue": 1.0},
    "silver": {"grey": 0.8},
    "dark": {"black": 0.6},
    "night": {"black": 0.8, "blue": 0.2},
    "sunset": {"orange": 0.8, "red": 0.3, "yellow": 0.3},
    "sunrise": {"orange": 0.8, "yellow": 0.4},
    "dusk": {"orange": 0.4, "purple": 0.3, "blue": 0.3},
    "snow": {"white": 0.7, "blue": 0.2},
    "snowy": {"white": 0.7, "blue": 0.2},
    "winter": {"white": 0.5, "grey": 0.2},
    "ice": {"white": 0.5, "blue": 0.3},
    "sky": {"blue": 0.6},
    "sea": {"blue": 0.5, "turquoise": 0.3},
    "ocean": {"blue": 0.5, "turquoise": 0.3},
    "grass": {"green": 0.7},
    "meadow": {"green": 0.6},
    "field": {"green": 0.4},
    "forest": {"green": 0.7},
    "leaf": {"green": 0.5},
    "leaves": {"green": 0.5},
    "tree": {"green": 0.4},
    "trees": {"green": 0.4},
    "autumn": {"orange": 0.6, "brown": 0.3, "yellow": 0.3},
    "fire": {"orange": 0.6, "red": 0.3},
    "desert": {"brown": 0.4, "orange": 0.4},
}


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return CIE Lab (D65) of (n, 3) sRGB in 0..1; the reference for `_lab` in the graph."""
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = linear @ XYZ.T / WHITE
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack(
        [116 * root[:, 1] - 16, 500 * (root[:, 0] - root[:, 1]), 200 * (root[:, 1] - root[:, 2])], 1
    )


XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.95047, 1.0, 1.08883])
TO_LAB = np.array([[0.0, 500.0, 0.0], [116.0, -500.0, 200.0], [0.0, 0.0, -200.0]])


def anchors() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the anchors in Lab (n, 3) and which name each belongs to (n, 12)."""
    rgb, names = [], []
    for name, values in ANCHORS.items():
        for value in values:
            rgb.append([int(value[start : start + 2], 16) / 255 for start in (0, 2, 4)])
            names.append([float(name == other) for other in NAMES])
    return lab(np.array(rgb)), np.array(names)


def centre_weights() -> NDArray[np.float64]:
    """Return (1024,) weights of the pooled pixels, highest in the middle, summing to 1."""
    offset = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    weight = np.exp(-(offset[:, None] ** 2 + offset[None, :] ** 2) / (2 * 0.6**2)).ravel()
    return weight / weight.sum()


@dataclass(frozen=True)
class Standard:
    """Mean and deviation (12,) of the colour shares over ordinary pictures."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def read(cls, path: Path) -> "Standard":
        """Read the constants that `measure.py` wrote."""
        found = json.loads(path.read_text())
        return cls(tuple(found["mean"]), tuple(found["deviation"]))


def shares(graph: Graph, pixels: str) -> str:
    """Add the shares of each colour name, (N, 12), of pixels (N, 3, 256, 256) scaled to -1..1."""
    pooled = graph.op("AveragePool", pixels, kernel_shape=[POOL_PX] * 2, strides=[POOL_PX] * 2)
    flat = graph.op("Reshape", pooled, graph.constant([0, 3, SIDE * SIDE], np.int64))
    rows = graph.op("Transpose", flat, perm=[0, 2, 1])
    rgb = graph.op("Add", graph.times(rows, 0.5), graph.constant(0.5))
    seen = _lab(graph, graph.op("Clip", rgb, graph.constant(0.0), graph.constant(1.0)))
    points, names = anchors()
    # -|x - a|² / 2s² without the |x|² that softmax does not see.
    pull = graph.op("MatMul", seen, graph.constant(points.T / SPREAD**2))
    pull = graph.op("Sub", pull, graph.constant((points**2).sum(1) / (2 * SPREAD**2)))
    belongs = graph.op("MatMul", graph.op("Softmax", pull, axis=-1), graph.constant(names))
    share = graph.op("MatMul", graph.constant(centre_weights()[None, :]), belongs)
    return graph.op("Sqrt", graph.op("Reshape", share, graph.constant([0, len(NAMES)], np.int64)))


def _lab(graph: Graph, rgb: str) -> str:
    curve = graph.op("Div", graph.op("Add", rgb, graph.constant(0.055)), graph.constant(1.055))
    linear = graph.op(
        "Where",
        graph.op("Greater", rgb, graph.constant(0.04045)),
        graph.op("Pow", curve, graph.constant(2.4)),
        graph.times(rgb, 1 / 12.92),
    )
    xyz = graph.op("MatMul", linear, graph.constant((XYZ / WHITE[:, None]).T))
    root = graph.op(
        "Where",
        graph.op("Greater", xyz, graph.constant(0.008856)),
        graph.op("Pow", xyz, graph.constant(1 / 3)),
        graph.op("Add", graph.times(xyz, 7.787), graph.constant(16 / 116)),
    )
    return graph.op("MatMul", root, graph.constant(TO_LAB))


def block(graph: Graph, pixels: str, standard: Standard) -> str:
    """Add the colour block of a picture, (N, 12) unit rows."""
    away = graph.op("Sub", shares(graph, pixels), graph.constant(standard.mean))
    score = graph.op("Div", away, graph.constant(standard.deviation))
    return graph.unit(graph.op("Tanh", graph.times(score, 0.5)))


def said_table(vocabulary: dict[str, int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the token ids (n,) of the colour words and their colours (n, 12)."""
    words = [word for word in SAID if word in vocabulary]
    colours = [[SAID[word].get(name, 0.0) for name in NAMES] for word in words]
    return np.array([vocabulary[word] for word in words]), np.array(colours, np.float32)
