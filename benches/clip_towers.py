"""CLIP ViT-B/32 at its true size with random weights, exported as the hub's exports are.

The architecture is that of Hugging Face `transformers`, so timings are those of the real model, and the
framework's own forward pass is the reference. Only the trained weights are missing.
"""

import json
import string
from itertools import product
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

START, END, VOCABULARY = "<|startoftext|>", "<|endoftext|>", 49408
DIM = 512


class TextTower(torch.nn.Module):
    """12 layers, width 512, 8 heads, context 77: ids (n, length) to (n, 512), not normalised."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        # Attention is written out, so that the export has plain matrix products as the published ones.
        config = CLIPTextConfig(eos_token_id=VOCABULARY - 1, projection_dim=DIM, attn_implementation="eager")
        self.model = CLIPTextModelWithProjection(config).eval()

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=input_ids).text_embeds


class ImageTower(torch.nn.Module):
    """12 layers, width 768, 12 heads, 49 patches of 32 pixels: (n, 3, 224, 224) to (n, 512)."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        config = CLIPVisionConfig(projection_dim=DIM, attn_implementation="eager")
        self.model = CLIPVisionModelWithProjection(config).eval()

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.model(pixel_values=pixel_values).image_embeds


def write_clip(folder: Path) -> tuple[TextTower, ImageTower]:
    """Write `onnx/text_model.onnx`, `onnx/vision_model.onnx` and their configuration files."""
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    text, image = TextTower(), ImageTower()
    _export(
        text,
        torch.full((2, 9), 7),
        "input_ids",
        "text_embeds",
        {1: "sequence"},
        folder / "onnx" / "text_model.onnx",
    )
    _export(
        image,
        torch.zeros(2, 3, 224, 224),
        "pixel_values",
        "image_embeds",
        {},
        folder / "onnx" / "vision_model.onnx",
    )
    word_tokenizer().save(str(folder / "tokenizer.json"))
    _put(folder / "tokenizer_config.json", {"pad_token": END})
    _put(folder / "config.json", {"model_type": "clip", "text_config": {"max_position_embeddings": 77}})
    _put(folder / "preprocessor_config.json", CLIP_PIXELS)
    return text, image


CLIP_PIXELS = {
    "size": {"shortest_edge": 224},
    "crop_size": {"height": 224, "width": 224},
    "resample": 3,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def _export(
    tower: torch.nn.Module, example: torch.Tensor, name: str, out: str, axes: dict[int, str], path: Path
) -> None:
    open_axes = {0: "batch", **axes}
    with torch.no_grad():
        torch.onnx.export(
            tower,
            (example,),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=[name],
            output_names=[out],
            dynamic_axes={name: open_axes, out: {0: "batch"}},
        )


def word_tokenizer() -> Tokenizer:
    """As many words as CLIP has word pieces, each one id: `aaaa`, `aaab` and so on."""
    words = ("".join(letters) for letters in product(string.ascii_lowercase, repeat=4))
    vocabulary = {word: index for index, word in zip(range(VOCABULARY - 2), words, strict=False)}
    vocabulary |= {START: VOCABULARY - 2, END: VOCABULARY - 1}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="aaaa"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, vocabulary[START]), (END, vocabulary[END])]
    )
    return tokenizer


def _put(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))
