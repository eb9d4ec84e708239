"""The fastest text tower of a model on this CPU, of those in its folder that agree with full precision.

Which precision is the fastest depends on the CPU: int8 products need VNNI. `snapseek models check` measures
the towers of a folder, such as `text_model.onnx` and `text_model_int8.onnx`, and stores the choice in the
cache of this machine. Those of a student, which `snapseek distil` wrote, are measured when it is first
loaded. The model stays the one that it was: its fingerprint is that of its own files.
"""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import SnapseekError
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.probe_cache import load_probe, sha256_of, store_probe

if TYPE_CHECKING:
    from snapseek.models.text.text_tower import TextConfig

MIN_COSINE = 0.99
"""The lowest cosine to full precision of a tower that a check chooses."""

_MIN_GAIN = 1.15  # a smaller one may be noise
_ROUNDS = 15
_TEXTS = ["a dog", "red boat at a lake", "an old man who reads a book", "the sea", "two children in the snow"]
_TOPIC = "fastest text tower"
_PRECISION = re.compile(r"(_q?u?int8\w*|_quantized)?\.onnx$")


class TextTowers(Protocol):
    """A loaded `TextEncoder`."""

    config: "TextConfig"

    def token_ids(self, texts: list[str]) -> list[list[int]]:
        """Return the token ids of each text."""

    def embed_ids(self, rows: list[list[int]]) -> NDArray[np.float32]:
        """Embed texts that `token_ids` returned; nothing is cached."""


@dataclass(frozen=True)
class TextVariant:
    """A text tower, its milliseconds for a short text, and its lowest cosine to full precision."""

    graph: str
    ms: float
    lowest_cosine: float

    def __str__(self) -> str:
        return f"{PurePosixPath(self.graph).name} {self.ms:.1f} ms, cosine {self.lowest_cosine:.4f}"


def variants_of(files: ModelFiles) -> list[str]:
    """Return the graphs of the text tower in all precisions of the folder, sorted."""
    own = PurePosixPath(files.layout.text_graph)
    stem = _PRECISION.sub("", own.name)
    names = [path.name for path in (files.root / own.parent).glob("*.onnx") if path.is_file()]
    return sorted(str(own.parent / name) for name in names if _PRECISION.sub("", name) == stem)


def with_fastest_text(files: ModelFiles, load: Callable[[ModelFiles], TextTowers]) -> ModelFiles:
    """Return the files with the text tower that was measured as the fastest here, as they are without one.

    `load` loads a text encoder with exactly the given files, to measure those of a student.
    """
    stored = load_probe(_TOPIC, files.of_text())
    variants = variants_of(files)
    if stored is None and files.teacher is not None and len(variants) > 1:
        measured = measure_variants(files, _TEXTS, load)
        return _with_text(files, measured[0].graph) if measured else files
    graph = stored.get("graph") if stored else None
    if stored is None or graph not in variants:
        return files
    if sha256_of(files.root / graph) != stored.get("sha256"):
        return files
    return _with_text(files, graph)


def measure_variants(
    files: ModelFiles, texts: list[str], load: Callable[[ModelFiles], TextTowers]
) -> list[TextVariant]:
    """Measure the text towers of a folder, store which is the fastest, and return all, the fastest first.

    Parameters
    ----------
    files
        The model.
    texts
        Texts to compare the vectors of.
    load
        Loads a text encoder with exactly the given files.

    Returns
    -------
    list[TextVariant]
        Empty if there is one precision only, or no full precision to compare with.
    """
    graphs = variants_of(files)
    full = _PRECISION.sub(".onnx", files.layout.text_graph)
    if len(graphs) < 2 or full not in graphs:
        return []
    loaded: dict[str, TextTowers] = {}
    vectors = {}
    rows: list[list[int]] = []
    for graph in sorted(graphs, key=lambda graph: graph != full):
        with suppress(SnapseekError):  # one that cannot be run is not the fastest
            towers = load(_with_text(files, graph))
            rows = rows or towers.token_ids(texts)
            vectors[graph] = towers.embed_ids(rows)
            loaded[graph] = towers
    if full not in loaded:
        return []
    spent = _spent_ms(loaded, rows)
    cosines = {graph: (found * vectors[full]).sum(axis=1).min() for graph, found in vectors.items()}
    measured = [TextVariant(name, spent[name], float(cosines[name])) for name in loaded]
    own = files.layout.text_graph
    faithful = [
        variant
        for variant in measured
        if variant.lowest_cosine >= MIN_COSINE and _is_fed_alike(loaded[variant.graph], loaded[full])
    ]
    fastest = min(faithful, key=lambda variant: variant.ms * (1 if variant.graph == own else _MIN_GAIN))
    store_probe(
        _TOPIC, files.of_text(), {"graph": fastest.graph, "sha256": sha256_of(files.root / fastest.graph)}
    )
    return sorted(measured, key=lambda variant: (variant != fastest, variant.ms))


def _spent_ms(loaded: dict[str, TextTowers], rows: list[list[int]]) -> dict[str, float]:
    """Return the median time of each tower for one text, the towers taking turns."""
    times: dict[str, list[float]] = {name: [] for name in loaded}
    for turn in range(_ROUNDS + 1):
        for name, towers in loaded.items():
            start = time.perf_counter()
            towers.embed_ids([rows[turn % len(rows)]])
            if turn:  # the first run prepares the session
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(spent)) for name, spent in times.items()}


def _is_fed_alike(towers: TextTowers, others: TextTowers) -> bool:
    """Return whether two towers are padded alike: the fingerprint of the model says how."""
    return (towers.config.unpadded, towers.config.pad_id) == (others.config.unpadded, others.config.pad_id)


def _with_text(files: ModelFiles, graph: str) -> ModelFiles:
    return replace(files, layout=replace(files.layout, text_graph=graph))
