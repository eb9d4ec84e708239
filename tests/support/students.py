"""Small students with random weights, to be exported and loaded in tests."""

from dataclasses import replace

import numpy as np

from snapseek.distil.static import Neighbours, StaticWeights
from snapseek.distil.student import write_folder, write_text_tower
from snapseek.distil.transformer import TransformerWeights

DIM, TOKENS = 3, 11  # those of the tiny model


def write_student(out, weights, teacher, metadata):
    """The folder of a student with these weights, as `snapseek distil` writes it."""
    write_folder(out, lambda path: write_text_tower(path, weights, teacher.dim), teacher, metadata)


def static_weights(seed=0, dim=DIM, tokens=TOKENS, hidden=8):
    normal = np.random.default_rng(seed).normal
    shapes = [(tokens, dim), (hidden, dim), (hidden,), (dim, hidden), (dim,)]
    return StaticWeights(*(normal(size=shape).astype(np.float32) for shape in shapes))


def hearing_weights(seed=0, dim=DIM, wide=5):
    normal = np.random.default_rng(seed + 1).normal
    shapes = [(wide, dim, 3), (wide,), (dim, wide)]
    return replace(
        static_weights(seed, dim), neighbours=Neighbours(*(normal(size=s).astype(np.float32) for s in shapes))
    )


def transformer_weights(seed=0, dim=DIM, tokens=TOKENS, width=8, layers=2, length=6):
    normal = np.random.default_rng(seed).normal
    shapes = {"rows": (tokens, dim), "positions": (length, width)}
    pairs = {"norm": (), "project_in": (width, dim), "out": (dim, width)}
    pairs |= {"mlp.inner": (7, dim), "mlp.outer": (dim, 7)}
    for layer in range(layers):
        pairs |= {f"{layer}.norm1": (), f"{layer}.norm2": (), f"{layer}.qkv": (3 * width, width)}
        pairs |= {f"{layer}.attention_out": (width, width), f"{layer}.inner": (4 * width, width)}
        pairs |= {f"{layer}.outer": (width, 4 * width)}
    for name, shape in pairs.items():
        shapes |= {f"{name}.weight": shape or (width,), f"{name}.bias": shape[:1] or (width,)}
    named = {name: normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return TransformerWeights(named, heads=2)
