"""Measure a model on labelled pictures: `python models/starter/evaluate.py --labels L --pictures FOLDER`.

A labels file is JSON: `pictures` (paths in the folder, all that are searched) and groups such as
`captions` and `kinds`, each a mapping of query → relevant paths.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "python/snapseek/models/starter"
SIDE = 256


def open_rgb(path: Path) -> Image.Image:
    """Open a picture upright enough for measuring: RGB, transparent parts on white."""
    picture: Image.Image = Image.open(path)
    if picture.mode in ("RGBA", "LA", "P"):
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture)
    return picture.convert("RGB")


def find(name: str, folders: Sequence[Path]) -> Path:
    """Return the path of a picture in the first folder that has it."""
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise SystemExit(f"{name} is in none of {', '.join(map(str, folders))}")


def pixels(picture: Image.Image) -> NDArray[np.float32]:
    """Return (3, 256, 256) float32: the whole picture squeezed to a square, mean and deviation 0.5."""
    whole = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return (np.asarray(whole, np.float32).transpose(2, 0, 1) / 127.5 - 1).astype(np.float32)


class Model:
    """Both towers of a model folder on one thread."""

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._text, self._image = (
            onnxruntime.InferenceSession(str(folder / f"onnx/{name}_model.onnx"), options)
            for name in ("text", "vision")
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def text(self, query: str) -> NDArray[np.float32]:
        """Return the (396,) unit row of a query."""
        ids = np.array([self._tokenizer.encode(query).ids[:64]], np.int64)
        row: NDArray[np.float32] = self._text.run(
            None, {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        )[0][0]
        return row

    def image(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the (396,) unit row of one picture's pixels."""
        row: NDArray[np.float32] = self._image.run(None, {"pixel_values": picture[None]})[0][0]
        return row


@dataclass(frozen=True)
class Ranking:
    """Where the relevant pictures of one query came: `ranks`, best first, counted from 0."""

    query: str
    ranks: tuple[int, ...]

    def recall(self, depth: int) -> float:
        """Return 1 when any relevant picture is among the first `depth`."""
        return float(self.ranks[0] < depth)

    def precision(self, depth: int) -> float:
        """Return the share of relevant pictures among the first `depth` (or as many as there are)."""
        depth = min(depth, len(self.ranks))
        return sum(rank < depth for rank in self.ranks) / depth


def rank(
    model: Model, rows: NDArray[np.float32], names: Sequence[str], wanted: dict[str, list[str]]
) -> list[Ranking]:
    """Rank all pictures for every query."""
    number = {name: row for row, name in enumerate(names)}
    found = []
    for query, relevant in wanted.items():
        order = np.argsort(-(rows @ model.text(query)), kind="stable")
        rank_of = np.empty(len(order), int)
        rank_of[order] = np.arange(len(order))
        found.append(Ranking(query, tuple(sorted(int(rank_of[number[name]]) for name in relevant))))
    return found


def report(rankings: list[Ranking], total: int) -> dict[str, float]:
    """Return the mean figures of rankings and what chance would give."""
    figures = {f"R@{depth}": _mean(r.recall(depth) for r in rankings) for depth in (1, 10)}
    figures |= {f"P@{depth}": _mean(r.precision(depth) for r in rankings) for depth in (5, 10)}
    figures["R-precision"] = _mean(r.precision(len(r.ranks)) for r in rankings)
    figures["chance P"] = _mean(len(r.ranks) / total for r in rankings)
    return {name: round(value, 3) for name, value in figures.items()}


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def milliseconds(call: Callable[..., object], *arguments: object, times: int = 50) -> float:
    """Return the median time of a call in milliseconds."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        call(*arguments)
        spent.append(time.perf_counter() - start)
    return float(np.median(spent)) * 1000


def main() -> None:
    """Print the figures of every group of a labels file, worst queries last, then the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument(
        "--pictures", type=Path, nargs="+", required=True, help="folders of the labels' paths"
    )
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--verbose", action="store_true", help="print every query")
    arguments = parser.parse_args()
    labels = json.loads(arguments.labels.read_text())
    model = Model(arguments.model)
    tensors = [pixels(open_rgb(find(name, arguments.pictures))) for name in labels["pictures"]]
    rows = np.stack([model.image(tensor) for tensor in tensors])
    print(f"{len(rows)} pictures of {arguments.labels.name}")
    for group, wanted in labels.items():
        if isinstance(wanted, dict):
            rankings = rank(model, rows, labels["pictures"], wanted)
            print(f"{group}: n={len(rankings)} {report(rankings, len(rows))}")
            for r in sorted(rankings, key=lambda r: -r.precision(10)) if arguments.verbose else ():
                print(f"  {r.precision(10):.2f} {r.query} (of {len(r.ranks)}; first at {r.ranks[0] + 1})")
    print(f"text {milliseconds(model.text, 'a photo of a red car'):.3f} ms with tokenizing, ", end="")
    print(f"image {milliseconds(model.image, tensors[0]):.1f} ms, one thread")


if __name__ == "__main__":
    main()
