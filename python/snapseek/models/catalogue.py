"""The catalogue of recommended models, with pinned files and revisions.

Accuracy is that of the published weights, as the authors or OpenCLIP report it: zero-shot ImageNet top-1 and
COCO text-to-image recall at 1, both in percent. An int8 export is slightly below its model.
"""

from dataclasses import dataclass, field

_CLIP_REPO = "Xenova/clip-vit-base-patch32"
_CLIP_REVISION = "d15189d7028b43f1d3e65039190477f6af591c2a"
_CONFIGS = ("config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class Pin:
    """One file of a repository, with its size and checksum if they are pinned."""

    path: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Companion:
    """Files from another repository: (path in the model's folder, file in the repository)."""

    repo: str
    revision: str
    files: tuple[tuple[str, Pin], ...]


@dataclass(frozen=True)
class Entry:
    """One model. `files` overrides the files of its layout, by the fields of `Layout`."""

    name: str
    repo: str
    revision: str
    size_mb: int | None
    licence: str
    languages: str
    imagenet: float | None
    coco: float | None
    good_for: str
    pins: tuple[Pin, ...]
    files: dict[str, str] = field(default_factory=dict)
    companions: tuple[Companion, ...] = ()
    dim: int = 512
    """Number of dimensions of a vector."""
    image_gmacs: float = 4.4
    """Billions of multiplications that the image tower needs for one picture."""


RECOMMENDED = "openclip-vit-b-32"
"""The entry that most people should use."""

MULTILINGUAL = "siglip2-vit-b-32-256"
"""The entry for queries in other languages than English."""

CATALOGUE = (
    Entry(
        "openclip-vit-b-32",
        "amikos/openclip-vit-b-32-laion2b-s34b-b79k-onnx",
        "248a2ed76a7189fc080e654e36930171331ef085",
        606,
        "MIT",
        "English",
        66.6,
        39.3,
        "recommended: everyday photographs, fast on a CPU",
        (
            Pin(
                "text_model.onnx",
                253_973_818,
                "252b86e0ef1fc95b22cfd52fbf647142727fdbecc152556ffe0fba0b10a80370",
            ),
            Pin(
                "vision_model.onnx",
                351_618_799,
                "7e14f76233d0c840c0621b1ef68f5877efe9357850782b1bbaf0c01693f73b43",
            ),
        ),
        companions=(Companion(_CLIP_REPO, _CLIP_REVISION, tuple((name, Pin(name)) for name in _CONFIGS)),),
    ),
    Entry(
        "openclip-vit-b-32-int8",
        "onnx-community/CLIP-ViT-B-32-laion2B-s34B-b79K-ONNX",
        "de693d0c5a5b263ae94ece9bf751e0cda14305d8",
        None,
        "MIT",
        "English",
        66.6,
        39.3,
        "the same in int8, both towers in one file",
        (
            Pin(
                "onnx/model_quantized.onnx",
                None,
                "2ac8410fe198fbd003cd97460bdd68653d99c33f53311881cd306190067aee9b",
            ),
        ),
        files={"text_graph": "onnx/model_quantized.onnx", "image_graph": "onnx/model_quantized.onnx"},
    ),
    Entry(
        "clip-vit-b-32",
        _CLIP_REPO,
        _CLIP_REVISION,
        606,
        "MIT",
        "English",
        63.3,
        30.4,
        "OpenAI's CLIP, for existing libraries of that model",
        (Pin("onnx/text_model.onnx", 254_058_553), Pin("onnx/vision_model.onnx", 351_685_709)),
        files={"text_graph": "onnx/text_model.onnx", "image_graph": "onnx/vision_model.onnx"},
    ),
    Entry(
        "clip-vit-b-32-int8",
        _CLIP_REPO,
        _CLIP_REVISION,
        154,
        "MIT",
        "English",
        63.3,
        30.4,
        "OpenAI's CLIP in int8: the smallest download",
        (
            Pin(
                "onnx/text_model_quantized.onnx",
                64_504_507,
                "73baab855d406190da9faa498cfedf65f15cf309f4cc7385b7b032e6d08e5c3a",
            ),
            Pin(
                "onnx/vision_model_quantized.onnx",
                89_117_001,
                "583fd1110a514667812fee7d684952aaf82a99b959760c8d7dca7e0ab9839299",
            ),
        ),
        files={
            "text_graph": "onnx/text_model_quantized.onnx",
            "image_graph": "onnx/vision_model_quantized.onnx",
        },
    ),
    Entry(
        "vit-b-32-256-datacomp",
        "yurijmikhalevich/rclip-models",
        "main",
        605,
        "MIT",
        "English",
        72.8,
        39.9,
        "fine-grained categories; every text takes 77 tokens",
        (
            Pin("ViT-B-32-256-datacomp_s34b_b86k/textual.onnx"),
            Pin("ViT-B-32-256-datacomp_s34b_b86k/visual.onnx"),
            Pin("tokenizer/bpe_simple_vocab_16e6.txt.gz"),
        ),
        files={
            "text_graph": "ViT-B-32-256-datacomp_s34b_b86k/textual.onnx",
            "image_graph": "ViT-B-32-256-datacomp_s34b_b86k/visual.onnx",
        },
        image_gmacs=5.6,
    ),
    Entry(
        "siglip2-vit-b-32-256",
        "onnx-community/siglip2-base-patch32-256-ONNX",
        "7efccb86b5b6601bfe9e14326e1c11b40b68d44c",
        696,
        "Apache-2.0",
        "many",
        74.0,
        47.2,
        "better answers and many languages; a slower text tower",
        (
            Pin("onnx/text_model_quantized.onnx"),
            Pin("onnx/vision_model.onnx", 378_478_689),
            Pin("tokenizer.json", 34_363_039),
        ),
        files={"text_graph": "onnx/text_model_quantized.onnx", "image_graph": "onnx/vision_model.onnx"},
        dim=768,
        image_gmacs=5.6,
    ),
    Entry(
        "siglip2-vit-b-16-224",
        "onnx-community/siglip2-base-patch16-224-ONNX",
        "ba1f3b0843f24bc5417d38e19c37b287d719b2f4",
        690,
        "Apache-2.0",
        "many",
        78.2,
        52.1,
        "the best answers; pictures take four times as long",
        (
            Pin("onnx/text_model_quantized.onnx"),
            Pin(
                "onnx/vision_model.onnx",
                371_807_752,
                "c0573e3f4140c3a7c4e9cc5912bd6b26a033b46a6a8e8af26cbea262b163bcad",
            ),
        ),
        files={"text_graph": "onnx/text_model_quantized.onnx", "image_graph": "onnx/vision_model.onnx"},
        dim=768,
        image_gmacs=17.0,
    ),
    Entry(
        "clip-multilingual",
        "sentence-transformers/clip-ViT-B-32-multilingual-v1",
        "58edf8cada9e398793dca955574a48cbb7f18be2",
        489,
        "Apache-2.0",
        "many",
        None,
        None,
        "many languages over the image tower of OpenAI's CLIP",
        (
            Pin(
                "onnx/model_quint8_avx2.onnx",
                135_377_779,
                "fbc8fbeaa5237d96bd1bf430057c70d34de8334a463e933a5faa305f6caeed9c",
            ),
            Pin("2_Dense/model.safetensors", 1_572_984),
        ),
        files={
            "text_graph": "onnx/model_quint8_avx2.onnx",
            "image_graph": "vision/vision_model.onnx",
            "image_config": "vision/preprocessor_config.json",
        },
        companions=(
            Companion(
                _CLIP_REPO,
                _CLIP_REVISION,
                (
                    ("vision/vision_model.onnx", Pin("onnx/vision_model.onnx", 351_685_709)),
                    ("vision/preprocessor_config.json", Pin("preprocessor_config.json")),
                ),
            ),
        ),
    ),
)


def names_of_width(dim: int) -> list[str]:
    """Return the names of the models with vectors of that many dimensions, in the order of the catalogue."""
    return [entry.name for entry in CATALOGUE if entry.dim == dim]


def find_entry(name: str) -> Entry | None:
    """Return the entry of that name, or None."""
    return next((entry for entry in CATALOGUE if entry.name == name), None)
