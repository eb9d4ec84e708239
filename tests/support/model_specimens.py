"""One small model of each layout, and its expected vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.model_zoo import (
    CLIP_MEAN,
    CLIP_STD,
    DENSE,
    DIM,
    END,
    FLOAT,
    HALF,
    INT32,
    INT64,
    LENGTH,
    PAD,
    POSITIONS,
    SIDE_PX,
    START,
    STATES,
    TABLE,
    VOCABULARY,
    WIDTH,
    causal,
    clip_ids,
    fused_model,
    image_model,
    mean_color,
    merges_of,
    model,
    node,
    port,
    put,
    put_hugging_face,
    put_merges,
    safetensors,
    save,
    seeing_all,
    text_model,
    unit,
    weight,
    with_more_outputs,
    word_tokenizer,
)


@dataclass
class Specimen:
    """How the model is written, its expected vectors and its expected layout.

    `open_in` is the folder to name where a model comes in several sizes.
    """

    name: str
    write: Callable[[Path], None]
    text: Callable[[str], np.ndarray]
    image: Callable[[Image.Image], np.ndarray]
    kind: str
    unpadded: bool
    pad_id: int
    length: int
    batch: int = 16
    open_in: str = ""


def write_split(folder):
    wide = {"pooler_output": ("image_embeds", 2 * DIM)}
    save(text_model(), folder / "onnx" / "text_model.onnx")
    save(with_more_outputs(image_model(), wide), folder / "onnx" / "vision_model.onnx")
    put_hugging_face(folder)


def write_siglip(folder):
    save(text_model(out="pooler_output", all_tokens=True), folder / "onnx" / "text_model.onnx")
    save(image_model(out="pooler_output"), folder / "onnx" / "vision_model.onnx")
    images = {
        "size": {"height": SIDE_PX, "width": SIDE_PX},
        "resample": 2,
        "image_mean": HALF,
        "image_std": HALF,
    }
    put_hugging_face(
        folder,
        images=images,
        config={"model_type": "siglip", "text_config": {"model_type": "siglip_text_model"}},
        tokenizer=word_tokenizer(lowercase=False, start=False),
        pad_token=PAD,
    )


def write_fused(folder, quantized=False):
    save(fused_model(quantized=quantized), folder / "onnx" / "model.onnx")
    put_hugging_face(folder)


def write_fused_outside(folder):
    outside = {"save_as_external_data": True, "location": "model.onnx_data", "size_threshold": 100}
    save(fused_model(), folder / "onnx" / "model.onnx", **outside)
    put_hugging_face(folder)


def write_root(folder):
    save(text_model(mask="attention_mask", shape=("batch", 77)), folder / "text_model.onnx")
    save(image_model(), folder / "vision_model.onnx")
    put_hugging_face(folder)


def write_sizes(folder):
    for size in ("s0", "b"):
        size_folder = folder / "onnx" / size
        save(text_model(shape=("batch", LENGTH), all_tokens=size == "s0"), size_folder / "text_model.onnx")
        save(image_model(), size_folder / "vision_model.onnx")
    plain = {"size": SIDE_PX, "crop_size": SIDE_PX, "resample": 2, "do_normalize": False}
    put_hugging_face(folder, images=plain)


def write_immich(folder, *, new=False):
    name = ("text_embedding", "image_embedding") if new else ("embedding", "embedding")
    text = text_model("text", INT32, (1, LENGTH), "raw_text")
    image = image_model("image", "raw_image", 1, bytes_in=new)
    for built, raw, out in ((text, "raw_text", name[0]), (image, "raw_image", name[1])):
        built.graph.node.append(node("LpNormalization", raw, out, axis=1, p=2))
        built.graph.output[0].name = out
    save(text, folder / "textual" / "model.onnx")
    save(image, folder / "visual" / "model.onnx")
    kwargs = {"clean": "canonicalize"} if new else {}
    put(folder / "config.json", {"text_cfg": {"context_length": LENGTH, "tokenizer_kwargs": kwargs}})
    word_tokenizer(lowercase=not new).save(str(folder / "textual" / "tokenizer.json"))
    put(folder / "textual" / "tokenizer_config.json", {"pad_token": PAD})
    images = {
        "size": [SIDE_PX, SIDE_PX],
        "mode": "RGB",
        "mean": HALF,
        "std": HALF,
        "interpolation": "bicubic",
    }
    squash = {"resize_mode": "squash" if new else "shortest", "fill_color": 0}
    put(folder / "visual" / "preprocess_cfg.json", images | squash)


MERGED = ["photo", "of", "dog", "snow", "red", "cars", "sea", "barn", "two", "old"]


PAIRS, MERGED_IDS = merges_of(MERGED)
LETTER_A = 256 + ord("a") - ord("!")


def write_static_pair(folder):
    put_merges(folder / "tokenizer" / "bpe_simple_vocab_16e6.txt.gz", PAIRS)
    size_folder = folder / "ViT-B-32-256-datacomp_s34b_b86k"
    save(text_model("input", INT64, ("batch", 77), "output"), size_folder / "textual.onnx")
    save(image_model("input", "output"), size_folder / "visual.onnx")


def write_sentence_transformers(folder):
    nodes = [
        node("Gather", "states input_ids", "rows"),
        node("Cast", "attention_mask", "mask", to=FLOAT),
        node("Unsqueeze", "mask last", "column"),
        node("ReduceSum", "column middle", "kept", keepdims=1),
        node("Div", "rows kept", "last_hidden_state"),
    ]
    axes = [weight("last", np.array([2])), weight("middle", np.array([1]))]
    inputs = [port(name, INT64, "batch", "sequence") for name in ("input_ids", "attention_mask")]
    outputs = [port("last_hidden_state", FLOAT, "batch", "sequence", WIDTH)]
    save(model(nodes, inputs, outputs, [weight("states", STATES), *axes]), folder / "onnx" / "model.onnx")
    save(image_model(), folder / "vision" / "vision_model.onnx")
    put_hugging_face(folder, config={"max_position_embeddings": 512}, pad_token=PAD, within="vision")
    put(folder / "sentence_bert_config.json", {"max_seq_length": LENGTH})
    modes = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    put(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": WIDTH} | modes)
    identity = "torch.nn.modules.linear.Identity"
    put(folder / "2_Dense" / "config.json", {"bias": False, "activation_function": identity})
    (folder / "2_Dense" / "model.safetensors").write_bytes(safetensors({"linear.weight": DENSE}))
    images = {"image_graph": "vision/vision_model.onnx", "image_config": "vision/preprocessor_config.json"}
    put(folder / "snapseek.json", {"files": images})


def static_pair_text(text):
    words = [LETTER_A if word == "a" else MERGED_IDS[word] for word in text.lower().split()]
    ids = [MERGED_IDS[START], *words, MERGED_IDS[END]]
    return unit((TABLE[ids] + POSITIONS[: len(ids)]).sum(axis=0))


def sentence(text):
    ids = clip_ids(text)
    return unit(STATES[ids].mean(axis=0) @ DENSE.T)


def clip_text(text):
    return causal(clip_ids(text))


def squashed(image, resample=Image.Resampling.BICUBIC):
    return mean_color(image, crop=False, resample=resample)


def plain_pixels(image):
    return mean_color(image, mean=(0,) * 3, std=(1,) * 3, resample=Image.Resampling.BILINEAR)


END_ID, PAD_ID = VOCABULARY[END], VOCABULARY[PAD]
SPECIMENS = [
    Specimen("split", write_split, clip_text, mean_color, "split", True, END_ID, LENGTH),
    Specimen(
        "split, seeing all",
        write_siglip,
        lambda text: seeing_all(clip_ids(text)[1:], 64, PAD_ID),
        lambda image: squashed(image, Image.Resampling.BILINEAR),
        "split",
        False,
        PAD_ID,
        64,
    ),
    Specimen("fused", write_fused, clip_text, mean_color, "fused", True, END_ID, LENGTH),
    Specimen(
        "fused, weights outside", write_fused_outside, clip_text, mean_color, "fused", True, END_ID, LENGTH
    ),
    Specimen(
        "fused, quantized",
        lambda folder: write_fused(folder, quantized=True),
        clip_text,
        mean_color,
        "fused",
        True,
        END_ID,
        LENGTH,
        batch=1,
    ),
    Specimen("root", write_root, clip_text, mean_color, "root", False, END_ID, 77),
    Specimen(
        "size folder, seeing all",
        write_sizes,
        lambda text: seeing_all(clip_ids(text), LENGTH, 0),
        plain_pixels,
        "size folder",
        False,
        0,
        LENGTH,
        open_in="onnx/s0",
    ),
    Specimen(
        "size folder, causal",
        write_sizes,
        clip_text,
        plain_pixels,
        "size folder",
        False,
        END_ID,
        LENGTH,
        open_in="onnx/b",
    ),
    Specimen("immich", write_immich, clip_text, mean_color, "immich", False, PAD_ID, LENGTH, 1),
    Specimen(
        "immich, bytes in",
        lambda folder: write_immich(folder, new=True),
        clip_text,
        squashed,
        "immich",
        False,
        PAD_ID,
        LENGTH,
        1,
    ),
    Specimen(
        "static pair",
        write_static_pair,
        static_pair_text,
        lambda image: mean_color(image, mean=CLIP_MEAN, std=CLIP_STD),
        "static pair",
        False,
        0,
        77,
    ),
    Specimen(
        "sentence-transformers",
        write_sentence_transformers,
        sentence,
        mean_color,
        "sentence-transformers",
        True,
        PAD_ID,
        LENGTH,
    ),
]
