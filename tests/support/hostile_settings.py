"""Tokenizers and settings of a hostile author, each written over those of the tiny model."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Edit = Callable[[Path], object]
TOKENIZER = "tokenizer.json"
PICTURES = "preprocessor_config.json"


def text(name: str, content: str) -> Edit:
    return lambda folder: (folder / name).write_text(content)


def merged(name: str, **changes: Any) -> Edit:
    """Change members of a JSON file. NaN and infinities are written as Python writes them."""

    def edit(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


def split(pattern: str) -> Edit:
    step = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return merged(TOKENIZER, pre_tokenizer=step)


def replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def sequence(*steps: dict[str, Any]) -> Edit:
    return merged(TOKENIZER, normalizer={"type": "Sequence", "normalizers": list(steps)})


def nested(name: str, depth: int) -> Edit:
    return text(name, '{"a":' * depth + "1" + "}" * depth)


def vocabulary(count: int) -> Edit:
    def edit(folder: Path) -> None:
        content = json.loads((folder / TOKENIZER).read_text())
        content["model"]["vocab"] |= {f"w{index}": index + 100 for index in range(count)}
        (folder / TOKENIZER).write_text(json.dumps(content))

    return edit


def instead(name: str, make: Callable[[Path], object]) -> Edit:
    def edit(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return edit


def mapped_to(content: bytes) -> str:
    """Return a character map that maps nothing, with one long text."""
    trie = bytes(1024)
    return base64.b64encode(len(trie).to_bytes(4, "little") + trie + content + b"\0").decode()


def template(count: int) -> Edit:
    token = {"id": "[PAD]", "ids": [0], "tokens": ["[PAD]"]}
    mark = {"SpecialToken": {"id": "[PAD]", "type_id": 0}}
    single = [mark] * count + [{"Sequence": {"id": "A", "type_id": 0}}]
    post = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": single,
        "special_tokens": {"[PAD]": token},
    }
    return merged(TOKENIZER, post_processor=post)


DOUBLE = replace({"String": "e"}, "ee")
LENGTHS = (10**9, -1, 0, "77", True, 1.5, float("nan"), [77], {"a": 1})
SIDES: tuple[Any, ...] = (
    10**9,
    -1,
    0,
    2**70,
    "224",
    [8],
    {},
    {"height": 8},
    float("nan"),
    {"shortest_edge": 1e999},
)

SETTINGS: dict[str, tuple[Edit, str]] = {
    "a regular expression with nested repetitions": (split(r"(a+)+$"), "repeated group"),
    "one in a normalizer": (sequence(replace({"Regex": r"(\w+\s?)+!"}, " ")), "repeated group"),
    "one with many repetitions": (split(".*" * 12 + "x"), "several unbounded repetitions"),
    "one that compiles to a million states": (split("((a{100}){100}){100}"), "."),
    "one of 100,000 characters": (split("a" * 100_000), "100000 characters"),
    "one that is not one": (split("(a"), "."),
    "a normalizer that doubles 40 times": (sequence(*[DOUBLE] * 40), "times longer"),
    "a replacement of a megabyte": (sequence(replace({"String": "a"}, "x" * 10**6)), "times longer"),
    "a prefix of a megabyte": (sequence({"type": "Prepend", "prepend": "x" * 10**6}), "times longer"),
    "a character map with a megabyte": (
        sequence({"type": "Precompiled", "precompiled_charsmap": mapped_to(b"x" * 10**6)}),
        "character map|is not a tokenizer",
    ),
    "marks that fill the context": (template(50), "special tokens"),
    "a vocabulary of a million words": (vocabulary(1_000_000), r"at most 1000000 tokens|\d+ seconds"),
    "a tokenizer of 100 MB": (text(TOKENIZER, " " * (100 << 20)), "at most 64 MiB"),
    "a tokenizer 100,000 deep": (nested(TOKENIZER, 100_000), "is not a tokenizer"),
    "a tokenizer with a number as its model": (merged(TOKENIZER, model=5), "is not a tokenizer"),
    "a tokenizer with ids as texts": (
        merged(TOKENIZER, model={"type": "WordLevel", "vocab": {"a": "b"}, "unk_token": "a"}),
        "is not a tokenizer",
    ),
    "a tokenizer with an id of 40 digits": (
        merged(TOKENIZER, model={"type": "WordLevel", "vocab": {"a": 10**40}, "unk_token": "a"}),
        "is not a tokenizer",
    ),
    "a tokenizer with ids beyond the table": (
        merged(TOKENIZER, model={"type": "WordLevel", "vocab": {"a": 2**31, "u": 2**31}, "unk_token": "u"}),
        "cannot be run",
    ),
    "a pipe as the tokenizer": (instead(TOKENIZER, os.mkfifo), "no file"),
    "a folder as the tokenizer": (instead(TOKENIZER, os.mkdir), "no file"),
    "a link to itself as the tokenizer": (
        instead(TOKENIZER, lambda path: path.symlink_to(path)),
        "no file",
    ),
    "a device as the tokenizer": (instead(TOKENIZER, lambda path: path.symlink_to("/dev/zero")), "no file"),
    "settings 100,000 deep": (nested("config.json", 100_000), "is not JSON"),
    "settings of 5 MB": (text("config.json", json.dumps({"a": "x" * (5 << 20)})), "at most 4 MB"),
    "settings that are a list": (text("tokenizer_config.json", "[1]"), "a JSON object"),
    "settings that end early": (text(PICTURES, '{"size"'), "is not JSON"),
    "a number of 10,000 digits": (text("config.json", '{"a": 1' + "0" * 10_000 + "}"), "is not JSON"),
    **{
        f"a context length of {length!r}": (
            merged("config.json", text_config={"max_position_embeddings": length}),
            "max_position_embeddings",
        )
        for length in LENGTHS
    },
    **{f"pictures of the size {side!r}": (merged(PICTURES, size=side), "size|crop") for side in SIDES},
    "a crop of a billion": (merged(PICTURES, crop_size=10**9), "crop"),
    "a mean that is not a number": (merged(PICTURES, image_mean=[float("nan")] * 3), "image_mean"),
    "an infinite deviation": (merged(PICTURES, image_std=[float("inf")] * 3), "image_mean"),
    "a deviation of zero": (merged(PICTURES, image_std=[0, 1, 1]), "image_std"),
    "a mean of two numbers": (merged(PICTURES, image_mean=[0.5, 0.5]), "image_mean"),
    "an absurd factor": (merged(PICTURES, rescale_factor=1e308), "rescale_factor"),
    "an unknown filter": (merged(PICTURES, resample=99), "resample"),
    "a filter that is a list": (merged(PICTURES, resample=[3]), "size"),
}

HARMLESS: dict[str, Edit] = {
    "a padding token that is a list": merged("tokenizer_config.json", pad_token=["[PAD]"]),
    "a padding token that is a number": merged("tokenizer_config.json", pad_token={"content": 5}),
    "examples that are missing": text("examples.json", "{}"),
    "examples that are a number": text("examples.json", '{"examples": 5}'),
    "examples of every type": text("examples.json", '{"examples": [1, null, {}, "a"]}'),
}
