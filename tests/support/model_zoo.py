"""Parts of small models with the names, dtypes, axes and quirks of the real exports.

A text is a sum of rows of a table and of positions; a picture is its mean colour, widened. Next to the graphs
is the same in NumPy: what a loaded model has to answer. `support/model_specimens.py` puts both together.
"""

import gzip
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

DIM, WIDTH, SIDE_PX, LENGTH = 4, 6, 16, 12
START, END, PAD = "<|startoftext|>", "<|endoftext|>", "<pad>"
WORDS = (
    "a",
    "photo",
    "of",
    "dog",
    "snow",
    "two",
    "old",
    "red",
    "cars",
    "near",
    "barn",
    "by",
    "the",
    "sea",
)
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)
INT64, INT32, FLOAT, UINT8 = TensorProto.INT64, TensorProto.INT32, TensorProto.FLOAT, TensorProto.UINT8
# Marks last, as in CLIP: their ids are the largest.
VOCABULARY = {word: index for index, word in enumerate(["!", PAD, *WORDS, START, END])}
RNG = np.random.default_rng(11)
TABLE = RNG.normal(size=(600, DIM)).astype(np.float32)
POSITIONS = RNG.normal(size=(80, DIM)).astype(np.float32) / 4
WIDEN = RNG.normal(size=(3, DIM)).astype(np.float32)
STATES = RNG.normal(size=(len(VOCABULARY), WIDTH)).astype(np.float32)
DENSE = RNG.normal(size=(DIM, WIDTH)).astype(np.float32)


# --- what the models answer, in NumPy ---


def unit(vector):
    return vector / np.linalg.norm(vector)


def clip_ids(text):
    return [VOCABULARY[START], *(VOCABULARY[word] for word in text.lower().split()), VOCABULARY[END]]


def causal(ids):
    """State at the first end mark, which sees itself and what is before it."""
    end = ids.index(max(ids)) + 1
    return unit((TABLE[ids[:end]] + POSITIONS[:end]).sum(axis=0))


def seeing_all(ids, length, pad_id):
    """Every position counts, padding too."""
    full = ids + [pad_id] * (length - len(ids))
    return unit((TABLE[full] + POSITIONS[: len(full)]).sum(axis=0))


def mean_color(image, *, crop=True, side=SIDE_PX, mean=HALF, std=HALF, resample=Image.Resampling.BICUBIC):
    """Published order: resize, crop, normalise; then what the image graphs do."""
    if crop:
        shorter = min(image.size)
        size = [int(side * edge / shorter) for edge in image.size]
        left, top = (round((edge - side) / 2) for edge in size)
        image = image.resize(size, resample).crop((left, top, left + side, top + side))
    else:
        image = image.resize((side, side), resample)
    pixels = (np.asarray(image, np.float32) / 255 - mean) / std
    # The rows weigh more towards the bottom, so that a rotated or mirrored batch would be noticed.
    return unit((pixels * np.linspace(0, 2, side)[:, None, None]).mean(axis=(0, 1)) @ WIDEN)


# --- graphs ---


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def port(name, kind, *shape):
    return helper.make_tensor_value_info(name, kind, shape)


def weight(name, value):
    return numpy_helper.from_array(np.asarray(value), name)


def model(nodes, inputs, outputs, weights):
    graph = helper.make_graph(nodes, "specimen", inputs, outputs, weights)
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(built)
    return built


def text_nodes(ids="input_ids", out="text_embeds", *, mask=None, all_tokens=False, table=TABLE):
    """Nodes and weights of a text tower. It fails on more ids than it has positions, as the real ones do."""
    nodes = [
        node("Gather", "table " + ids, "rows"),
        node("Shape", ids, "length_", start=1, end=2),
        node("Squeeze", "length_", "length"),
        node("Range", "zero length one", "at"),
        node("Gather", "positions at", "places"),
        node("Add", "rows places", "states"),
    ]
    states = "states"
    if mask:
        nodes += [
            node("Cast", mask, "mask_", to=FLOAT),
            node("Unsqueeze", "mask_ two", "column"),
            node("Mul", "states column", "kept"),
        ]
        states = "kept"
    if all_tokens:
        nodes += [node("ReduceSum", f"{states} seq_axis", out, keepdims=0)]
    else:
        nodes += [
            node("CumSum", f"{states} one", "sums"),
            node("Cast", ids, "ids32", to=INT32),
            node("ArgMax", "ids32", "end", axis=1, keepdims=1),
            node("GatherND", "sums end", out, batch_dims=1),
        ]
    constants = {"zero": np.array(0), "one": np.array(1), "two": np.array([2]), "seq_axis": np.array([1])}
    values = {"table": table, "positions": POSITIONS, **constants}
    return nodes, [weight(name, value) for name, value in values.items()]


def image_nodes(pixels="pixel_values", out="image_embeds", *, bytes_in=False, quantized=False, side=SIDE_PX):
    """Nodes and weights of an image tower; with `bytes_in` it takes uint8 NHWC and normalises inside."""
    nodes, current = [], pixels
    if bytes_in:
        nodes += [
            node("Cast", pixels, "floats", to=FLOAT),
            node("Div", "floats full", "shares"),
            node("Sub", "shares half", "centred"),
            node("Div", "centred half", "normal"),
            node("Transpose", "normal", "planes", perm=[0, 3, 1, 2]),
        ]
        current = "planes"
    if quantized:
        nodes += [
            node("DynamicQuantizeLinear", current, "codes scale_ origin"),
            node("DequantizeLinear", "codes scale_ origin", "back"),
        ]
        current = "back"
    nodes += [
        node("Mul", f"{current} slope", "weighed"),
        node("ReduceMean", "weighed area", "means", keepdims=0),
        node("MatMul", "means widen", out),
    ]
    slope = np.linspace(0, 2, side, dtype=np.float32)[None, None, :, None]
    values = {"slope": slope, "area": np.array([2, 3]), "widen": WIDEN}
    if bytes_in:
        values |= {"full": np.float32(255), "half": np.float32(0.5)}
    return nodes, [weight(name, value) for name, value in values.items()]


def normalized(nodes, raw, out):
    return [*nodes, node("LpNormalization", raw, out, axis=1, p=2)]


def text_model(ids="input_ids", kind=INT64, shape=("batch", "sequence"), out="text_embeds", mask=None, **how):
    nodes, weights = text_nodes(ids, out, mask=mask, **how)
    inputs = [port(name, kind, *shape) for name in (ids, mask) if name]
    return model(nodes, inputs, [port(out, FLOAT, shape[0], DIM)], weights)


def image_model(pixels="pixel_values", out="image_embeds", batch="batch", side=SIDE_PX, **how):
    nodes, weights = image_nodes(pixels, out, side=side, **how)
    shape = (batch, side, side, 3) if how.get("bytes_in") else (batch, 3, side, side)
    inputs = [port(pixels, UINT8 if how.get("bytes_in") else FLOAT, *shape)]
    return model(nodes, inputs, [port(out, FLOAT, batch, DIM)], weights)


def with_more_outputs(built, extra):
    """Further outputs in front of the real one, such as CLIP's `pooler_output` before its projection."""
    for name, (source, wide) in reversed(extra.items()):
        built.graph.node.append(node("Concat", f"{source} {source}", name, axis=1))
        built.graph.output.insert(0, port(name, FLOAT, "batch", wide))
    return built


def fused_model(*, quantized=False):
    text, text_weights = text_nodes(mask="attention_mask", out="raw_text")
    image, image_weights = image_nodes(out="raw_image", quantized=quantized)
    nodes = normalized(text, "raw_text", "text_embeds") + normalized(image, "raw_image", "image_embeds")
    nodes += [
        node("Transpose", "image_embeds", "across", perm=[1, 0]),
        node("MatMul", "text_embeds across", "logits_per_text"),
        node("Transpose", "logits_per_text", "logits_per_image", perm=[1, 0]),
    ]
    inputs = [
        port("input_ids", INT64, "text_batch_size", "sequence_length"),
        port("pixel_values", FLOAT, "image_batch_size", "num_channels", "height", "width"),
        port("attention_mask", INT64, "text_batch_size", "sequence_length"),
    ]
    outputs = [
        port("logits_per_image", FLOAT, "image_batch_size", "text_batch_size"),
        port("logits_per_text", FLOAT, "text_batch_size", "image_batch_size"),
        port("text_embeds", FLOAT, "text_batch_size", DIM),
        port("image_embeds", FLOAT, "image_batch_size", DIM),
    ]
    return model(nodes, inputs, outputs, text_weights + image_weights)


# --- files next to the graphs ---


def save(built, path, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(built, path, **how)


def put(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def word_tokenizer(*, lowercase=True, start=True):
    words = {word: index for word, index in VOCABULARY.items() if start or word != START}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="!"))
    tokenizer.add_special_tokens([START, END, PAD] if start else [PAD])
    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    marks = [(mark, VOCABULARY[mark]) for mark in (START, END) if mark in words]
    template = f"{START} $A {END}" if start else f"$A {END}"
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=marks)
    return tokenizer


def put_hugging_face(folder, *, images=None, config=None, tokenizer=None, pad_token=END, within=""):
    (tokenizer or word_tokenizer()).save(str(folder / "tokenizer.json"))
    put(
        folder / "tokenizer_config.json", {"pad_token": pad_token, "unk_token": "!", "model_max_length": 1e30}
    )
    put(folder / "config.json", config or {"text_config": {"max_position_embeddings": LENGTH}})
    usual = {"size": SIDE_PX, "crop_size": SIDE_PX, "resample": 3, "image_mean": HALF, "image_std": HALF}
    put(folder / within / "preprocessor_config.json", images or usual)


def merges_of(words):
    """The merges that make one piece of each word, and the ids that CLIP's numbering gives to the words."""
    pairs = []
    for word in words:
        letters = [*word[:-1], word[-1] + "</w>"]
        while len(letters) > 1:
            if (letters[0], letters[1]) not in pairs:
                pairs.append((letters[0], letters[1]))
            letters[:2] = [letters[0] + letters[1]]
    made = {"".join(pair): 512 + number for number, pair in enumerate(pairs)}
    ids = {word: made[word + "</w>"] for word in words} | {START: 512 + len(pairs), END: 513 + len(pairs)}
    return pairs, ids


def put_merges(path, pairs):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in pairs)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


def safetensors(tensors):
    header, data = {}, b""
    for name, value in tensors.items():
        content = np.ascontiguousarray(value, np.float32).tobytes()
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": offsets}
        data += content
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data
