"""Compare rules of relevance on labelled pictures: `python -m benches.relevance_figures [STAMPS]`.

STAMPS is the folder `stamps` of Debian's tuxpaint-stamps-default, for a second set of pictures. The
thresholds of all rules but the last are chosen on the queries `choose` of benches/labels/relevance.json. The
printed figures are those of other queries.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snapseek import Encoder
from snapseek.images import open_image
from snapseek.library.paths import DEMO_PICTURES
from snapseek.models.queries.background import SAMPLE_QUERIES, Background, load_background
from snapseek.models.queries.sample_queries import sample_queries

REPOSITORY = Path(__file__).parents[1]
Floats = NDArray[np.float32]
RULES = ("cosine", "above_library", "above_background", "above_other_queries", "gap", "excess")


class Embedder(Protocol):
    """What is measured of an `Encoder`."""

    @property
    def image(self) -> Any: ...

    def embed_texts(self, texts: Sequence[str], /) -> Floats: ...

    def embed_images(self, images: Sequence[Image.Image], /) -> Floats: ...


@dataclass(frozen=True)
class Task:
    """Queries (q, dim), pictures (n, dim) and which of them are right, (q, n) bool."""

    queries: Floats
    pictures: Floats
    right: NDArray[np.bool_]

    @property
    def cosines(self) -> Floats:
        """(q, n) float32."""
        return self.queries @ self.pictures.T


class Rules:
    """Scores of (query, picture) pairs, which one threshold cuts."""

    def __init__(self, background: Floats, samples: Floats) -> None:
        self._background, self._samples = background, samples

    def cosine(self, task: Task) -> Floats:
        return task.cosines

    def above_library(self, task: Task) -> Floats:
        """Deviations above the mean on the searched pictures: the rule of earlier versions."""
        return _deviations(task, task.pictures)

    def above_background(self, task: Task) -> Floats:
        return _deviations(task, self._background)

    def excess(self, task: Task) -> Floats:
        return task.cosines - (task.queries @ self._background.mean(0))[:, None]

    def above_other_queries(self, task: Task) -> Floats:
        """The excess above that of the best hundredth of sample queries on the same picture."""
        others = self.excess(Task(self._samples, task.pictures, task.right))
        return self.excess(task) - np.quantile(others, 0.99, axis=0)[None]

    def gap(self, task: Task) -> Floats:
        """The excess, less its distance from the first result's."""
        excess = self.excess(task)
        return 2 * excess - excess.max(1, keepdims=True)


def _deviations(task: Task, pictures: Floats) -> Floats:
    scores = task.queries @ pictures.T
    return (task.cosines - scores.mean(1, keepdims=True)) / scores.std(1, keepdims=True)


@dataclass(frozen=True)
class Figures:
    """Over all queries: precision, recall and the share of absent things that get no result."""

    precision: float
    recall: float
    absent: int
    of_absent: int

    @property
    def value(self) -> float:
        """What a threshold is chosen by."""
        f1 = 2 * self.precision * self.recall / max(1e-9, self.precision + self.recall)
        return 0.7 * f1 + 0.3 * self.absent / self.of_absent

    def __str__(self) -> str:
        return f"{self.precision:.2f}  {self.recall:.2f}  {self.absent:2}/{self.of_absent}"


def figures(task: Task, is_good: NDArray[np.bool_]) -> Figures:
    """Measure leading results: those before the first one that is not good, as a user sees them."""
    found = counted = absent = 0
    for cosines, good, right in zip(task.cosines, is_good, task.right, strict=True):
        order = np.argsort(-cosines, kind="stable")
        count = int(np.logical_and.accumulate(good[order]).sum())
        found += int(right[order[:count]].sum())
        counted += count
        absent += not right.any() and count == 0
    of_absent = int((~task.right.any(1)).sum())
    return Figures(found / max(1, counted), found / task.right.sum(), absent, of_absent)


def best_threshold(task: Task, scores: Floats) -> float:
    candidates = np.quantile(scores, np.linspace(0.9, 0.9999, 150))
    return float(max(candidates, key=lambda threshold: figures(task, scores >= threshold).value))


def best_cut(task: Task) -> Figures:
    """Cut each query where its right results less half of its wrong ones are the most.

    It knows the labels, so no rule that keeps the order of results exceeds it.
    """
    is_good = np.zeros_like(task.right)
    for row, (cosines, right) in enumerate(zip(task.cosines, task.right, strict=True)):
        order = np.argsort(-cosines, kind="stable")
        value = np.where(right[order], 1, -0.5).cumsum()
        is_good[row, order[: int(value.argmax()) + 1]] = value.max() > 0
    return figures(task, is_good)


def report(encoder: Embedder, samples: Floats, threshold: float | None, stamps_folder: Path | None) -> None:
    """Print the figures of every rule for a model, with the vectors of its sample queries."""
    labels = json.loads((REPOSITORY / "benches/labels/relevance.json").read_text())
    demo = embedded(encoder, REPOSITORY / "demo/pictures", labels["pictures"])
    choose = _task(encoder, labels["choose"], labels["pictures"], demo)
    tasks = {"other queries": _task(encoder, labels["report"], labels["pictures"], demo)}
    if stamps_folder is not None:
        stamps = json.loads((REPOSITORY / "models/starter/labels/stamps.json").read_text())
        named = stamps["kinds"] | dict.fromkeys(labels["stamps_absent"], ())
        tasks["stamps"] = _task(
            encoder, named, stamps["pictures"], embedded(encoder, stamps_folder, stamps["pictures"])
        )
    packaged = [path.relative_to(DEMO_PICTURES).as_posix() for path in sorted(DEMO_PICTURES.rglob("*.jpg"))]
    background = embedded(encoder, DEMO_PICTURES, packaged)
    rules = Rules(background, samples)
    print(f"precision, recall, absent things reported: {', '.join(tasks)}")
    for name in RULES:
        rule = getattr(rules, name)
        limit = best_threshold(choose, rule(choose))
        _print(name, [figures(task, rule(task) >= limit) for task in tasks.values()])
    _print("earlier version", [figures(task, _earlier(rules, samples[:64], task)) for task in tasks.values()])
    if threshold is None:
        threshold = Background.of(background, samples, "demo pictures").threshold
    is_good = [rules.excess(task) >= threshold for task in tasks.values()]
    _print("excess, as shipped", [figures(*pair) for pair in zip(tasks.values(), is_good, strict=True)])
    _print("best cut by query", [best_cut(task) for task in tasks.values()])


def main() -> None:
    encoder = Encoder.load()
    stored = load_background(encoder)
    assert stored is not None
    stamps = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    report(encoder, sample_queries(encoder, SAMPLE_QUERIES), stored.threshold, stamps)


def _earlier(rules: Rules, samples: Floats, task: Task) -> NDArray[np.bool_]:
    """The rule of earlier versions: its threshold came from the best results of ordinary queries."""
    best = rules.above_library(Task(samples, task.pictures, task.right)).max(1)
    good: NDArray[np.bool_] = rules.above_library(task) >= np.quantile(best, 0.25)
    return good


def _print(name: str, found: Sequence[Figures]) -> None:
    print(f"{name:20}  {'    '.join(map(str, found))}")


def embedded(encoder: Embedder, folder: Path, names: Sequence[str]) -> Floats:
    """Return the vectors of picture files, (n, dim)."""
    side = encoder.image.picture_side_px
    images = (open_image(folder / name, min_side=side).image for name in names)
    return np.concatenate([encoder.embed_images([image]) for image in images])


def _task(
    encoder: Embedder, labels: Mapping[str, Sequence[str]], names: Sequence[str], pictures: Floats
) -> Task:
    right = np.array([np.isin(names, list(found)) for found in labels.values()])
    return Task(np.concatenate([encoder.embed_texts([query]) for query in labels]), pictures, right)


if __name__ == "__main__":
    main()
