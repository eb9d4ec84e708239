"""Measure words that are taught by marks: `python -m benches.teach_figures STAMPS [--choose]`.

STAMPS is the folder `stamps` of Debian's tuxpaint-stamps-default. Classes are those of
benches/labels/concepts.json: with --choose those that the method was chosen on, otherwise all others. Of each
class five pictures are marked as examples and three of the first 40 wrong results as counterexamples, ten
times at random; the marked pictures then leave the ranking. P@20, or P@n for n remaining pictures of a class.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from benches.relevance_figures import embedded
from snapseek import Encoder
from snapseek.images import open_image
from snapseek.library.concepts.classifier import train
from snapseek.models.queries.background import load_background

REPOSITORY = Path(__file__).parents[1]
DEMO = REPOSITORY / "demo/pictures"
DRAWS, EXAMPLES, COUNTEREXAMPLES, DEPTH, WRONG = 10, 5, 3, 20, 40
NONSENSE = ("rex", "zorp", "bella")
FAILING = 0.4
"""Words with a lower P@20 count as failing."""

OBJECTS, LOOK_ALIKES, VIEWS = 20, 5, 12
_SAME = 0.985
Floats = NDArray[np.float32]
Method = Callable[[Floats, Floats, Floats, Floats], Floats]
"""Returns a direction of examples, counterexamples, the background and the vector of the name."""


@dataclass(frozen=True)
class Task:
    """A name, pictures (n, dim) and which of them show it, (n,) bool."""

    name: str
    pictures: Floats
    right: NDArray[np.bool_]


class Data:
    """The labelled pictures and their vectors."""

    def __init__(self, encoder: Encoder, stamps: Path) -> None:
        self.encoder = encoder
        self.stamps_folder = stamps
        self._labels = _json("benches/labels/concepts.json")
        self._stamps = _json("models/starter/labels/stamps.json")
        relevance = _json("benches/labels/relevance.json")
        self._queries = relevance["choose"] | relevance["report"]
        self.names = {
            "demo": list(self._labels["pictures"]),
            "stamps": [f"stamps/{name}" for name in self._stamps["pictures"]],
        }
        self._vectors = {
            "demo": embedded(encoder, DEMO, self.names["demo"]),
            "stamps": embedded(encoder, stamps.parent, self.names["stamps"]),
        }
        self.names["mixed"] = self.names["demo"] + self.names["stamps"]

    def vectors(self, pool: str) -> Floats:
        return np.concatenate(
            [self._vectors[p] for p in (("demo", "stamps") if pool == "mixed" else (pool,))]
        )

    def tasks(self, *, choose: bool) -> Iterator[Task]:
        """Yield the classes for choosing a method, or the others."""
        for pool, name, files in self._classes():
            if (name in self._labels["choose"].get(pool, ())) == choose:
                yield Task(name, self.vectors(pool), np.isin(self.names[pool], list(files)))

    def _classes(self) -> Iterator[tuple[str, str, list[str]]]:
        labels = self._labels
        for name, files in labels["demo"].items():
            yield "demo", name, files
        for name in labels["demo_queries"]:
            yield "demo", name, self._queries[name]
        for name, files in labels["mixed"].items():
            yield "mixed", name, files["demo"] + [f"stamps/{file}" for file in files["stamps"]]
        for name in labels["stamps"]:
            yield "stamps", name, [f"stamps/{file}" for file in self._stamps["kinds"][name]]

    def objects(self, *, choose: bool) -> Iterator[Task]:
        """Yield single things: twelve views of one picture, among all others and views of its look-alikes."""
        pictures = self.vectors("mixed")
        cosines = pictures @ pictures.T
        np.fill_diagonal(cosines, -1)
        numbers = np.random.default_rng(7).choice(len(self.names["demo"]), 2 * OBJECTS, replace=False)
        for number in numbers[:OBJECTS] if choose else numbers[OBJECTS:]:
            order = np.argsort(-cosines[number])
            alike = [int(other) for other in order if cosines[number, other] < _SAME][:LOOK_ALIKES]
            kept = np.ones(len(pictures), np.bool_)
            kept[[number, *alike]] = False
            kept[cosines[number] >= _SAME] = False
            views = np.concatenate([self._views[n] for n in (int(number), *alike)])
            right = np.zeros(kept.sum() + len(views), np.bool_)
            right[kept.sum() : kept.sum() + VIEWS] = True
            yield Task(NONSENSE[0], np.concatenate([pictures[kept], views]), right)

    @cached_property
    def _views(self) -> "Views":
        return Views(self)


class Views(dict[int, Floats]):
    """Vectors of random views of pictures, by number: cropped, rotated, mirrored, in other light."""

    def __init__(self, data: Data) -> None:
        self._data = data

    def __missing__(self, number: int) -> Floats:
        name = self._data.names["mixed"][number]
        folder = self._data.stamps_folder.parent if name.startswith("stamps/") else DEMO
        image = open_image(folder / name, min_side=400).image
        random = np.random.default_rng(number)
        views = [self._data.encoder.embed_images([_view(image, random)]) for _ in range(VIEWS)]
        self[number] = np.concatenate(views)
        return self[number]


def _view(image: Image.Image, random: np.random.Generator) -> Image.Image:
    share = random.uniform(0.55, 0.95)
    width = int(image.width * share)
    height = int(image.height * random.uniform(max(0.5, share - 0.1), min(1, share + 0.1)))
    left, top = random.integers(0, image.width - width + 1), random.integers(0, image.height - height + 1)
    mean = tuple(np.asarray(image.resize((1, 1))).ravel().tolist())
    rotated = image.rotate(random.uniform(-12, 12), Image.Resampling.BICUBIC, fillcolor=mean)
    view = rotated.crop((left, top, left + width, top + height))
    if random.random() < 0.5:
        view = ImageOps.mirror(view)
    for kind, low, high in (
        (ImageEnhance.Brightness, 0.65, 1.35),
        (ImageEnhance.Contrast, 0.7, 1.3),
        (ImageEnhance.Color, 0.6, 1.4),
    ):
        view = kind(view).enhance(random.uniform(low, high))
    return view


def _discriminant(examples: Floats, counterexamples: Floats, background: Floats, _: Floats) -> Floats:
    """The linear discriminant with the shrunk covariance of the background."""
    mean = background.mean(0)
    covariance = np.cov(background.T, bias=True)
    shrunk = covariance + np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    between = examples.mean(0) - (mean + counterexamples.mean(0)) / 2
    return np.linalg.solve(shrunk, between).astype(np.float32)


METHODS: dict[str, Method] = {
    "words": lambda examples, counterexamples, background, name: name,
    "mean of marks": lambda examples, counterexamples, background, name: examples.mean(0),
    "discriminant": _discriminant,
    "taught": lambda *arguments: train(*arguments).vector,
}


@dataclass
class Result:
    """P@20 by method, and of the taught word's line: members that are right, members, right pictures."""

    precision: dict[str, float]
    members: NDArray[np.int64]


def measure(task: Task, encoder: Encoder, background: Floats, name: str, *, by_words: bool) -> Result:
    """Measure a task over all draws; wrong results come from the ranking by words, or by the examples."""
    word = encoder.embed_texts([name])[0]
    found: dict[str, list[float]] = {method: [] for method in METHODS}
    members = np.zeros(3, np.int64)
    for seed in range(DRAWS):
        random = np.random.default_rng(seed)
        examples = random.choice(np.flatnonzero(task.right), EXAMPLES, replace=False)
        first = word if by_words else task.pictures[examples].mean(0)
        order = np.argsort(-(task.pictures @ first), kind="stable")
        wrong = order[~task.right[order]][:WRONG]
        counterexamples = random.choice(wrong, COUNTEREXAMPLES, replace=False)
        kept = np.ones(len(task.right), np.bool_)
        kept[[*examples, *counterexamples]] = False
        pictures, right = task.pictures[kept], task.right[kept]
        marks = (task.pictures[examples], task.pictures[counterexamples], background, word)
        for method, direction in METHODS.items():
            found[method].append(_precision(pictures @ direction(*marks), right))
        trained = train(*marks)
        is_member = pictures @ trained.vector >= trained.min_score
        members += [(is_member & right).sum(), is_member.sum(), right.sum()]
    return Result({method: float(np.mean(values)) for method, values in found.items()}, members)


def _precision(scores: Floats, right: NDArray[np.bool_]) -> float:
    depth = min(DEPTH, int(right.sum()))
    return float(right[np.argsort(-scores, kind="stable")[:depth]].mean())


def _print(title: str, results: list[Result]) -> None:
    means = [np.mean([result.precision[method] for result in results]) for method in METHODS]
    right, members, all_right = np.sum([result.members for result in results], axis=0)
    line = f"{right / max(1, members):.2f} | {right / all_right:.2f}"
    print(f"| {title} | {len(results)} | {' | '.join(f'{mean:.3f}' for mean in means)} | {line} |")


def _json(path: str) -> dict:  # type: ignore[type-arg]
    loaded: dict = json.loads((REPOSITORY / path).read_text())  # type: ignore[type-arg]
    return loaded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stamps", type=Path)
    parser.add_argument("--choose", action="store_true", help="the classes that the method was chosen on")
    parser.add_argument("--verbose", action="store_true", help="print every class")
    options = parser.parse_args()
    encoder = Encoder.load("starter")
    stored = load_background(encoder)
    assert stored is not None
    assert stored.pictures is not None
    background = stored.pictures
    data = Data(encoder, options.stamps)
    tasks = list(data.tasks(choose=options.choose))
    named = [measure(task, encoder, background, task.name, by_words=True) for task in tasks]
    print(f"| | classes | {' | '.join(METHODS)} | line: precision | recall |")
    print("|---" * (len(METHODS) + 4) + "|")
    fails = [result.precision["words"] < FAILING for result in named]
    _print("words work", [result for result, is_failing in zip(named, fails, strict=True) if not is_failing])
    _print("words fail", [result for result, is_failing in zip(named, fails, strict=True) if is_failing])
    _print("all", named)
    for name in NONSENSE:
        results = [measure(task, encoder, background, name, by_words=False) for task in tasks]
        _print(f"the same classes, named {name}", results)
    objects = list(data.objects(choose=options.choose))
    for name in NONSENSE[:2]:
        results = [measure(task, encoder, background, name, by_words=False) for task in objects]
        _print(f"single objects, named {name}", results)
    if options.verbose:
        for task, result in zip(tasks, named, strict=True):
            print(f"{task.name:20}", {method: round(value, 2) for method, value in result.precision.items()})


if __name__ == "__main__":
    main()
