"""Detect the layout of a model's files: the seven layouts of CLIP exports.

The rules look at file names only, so they work for a folder and for the listing of a repository.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from snapseek.errors import RENEW, ModelError
from snapseek.models.onnx.graph import pickle_error

_MAX_CONFIG_BYTES = 4 << 20
_PRECISIONS = ("", "_quantized", "_int8", "_uint8", "_quint8_avx2", "_qint8_avx512_vnni", "_qint8_arm64")
_REFUSED_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_BPE = "bpe_simple_vocab_16e6.txt.gz"
IMAGE_CONFIG = "preprocessor_config.json"
STUDENT = "student.json"
_REQUIRED = {"text_graph", "image_graph", "tokenizer", "image_config"}


@dataclass(frozen=True)
class Layout:
    """The files of one model, as relative paths with `/`; None for files that the model does not have.

    Both graphs are the same file if one graph holds both towers. `pooling` and `dense` are folders.
    """

    kind: str
    text_graph: str
    image_graph: str | None
    tokenizer: str | None
    tokenizer_config: str | None
    config: str | None
    image_config: str | None
    pooling: str | None = None
    dense: str | None = None
    length_config: str | None = None

    def text_files(self) -> set[str]:
        """Return the files that the text tower needs."""
        named = (
            self.text_graph,
            self.tokenizer,
            self.tokenizer_config,
            self.config,
            self.image_config,
            self.length_config,
        )
        inside = {f"{self.pooling}/config.json"} if self.pooling else set()
        if self.dense:
            inside |= {f"{self.dense}/config.json", f"{self.dense}/model.safetensors"}
        return {path for path in named if path} | inside


def choose_layout(
    paths: Collection[str], *, size: str | None = None, named: Mapping[str, str] | None = None
) -> Layout:
    """Detect the layout of a model.

    Parameters
    ----------
    paths
        The files of the model, relative to its folder.
    size
        Name of a subfolder, for a model in several sizes.
    named
        Files with other names than the layout's, by the fields of `Layout`.

    Returns
    -------
    Layout
        The layout.

    Raises
    ------
    ModelError
        If no layout matches; the message says which file is missing.
    """
    files = frozenset(paths)
    named = named or {}
    if set(named) >= _REQUIRED:
        return _renamed(Layout("named", "", None, None, None, None, None), named)
    for rule in (_student, _immich, _sentence_transformers, _split, _static_pair, _fused):
        if layout := rule(files, size):
            return _renamed(layout, named)
    raise _no_layout(files)


def _student(files: frozenset[str], _: str | None) -> Layout | None:
    """Match a distilled text tower, which has a teacher instead of an image tower."""
    if STUDENT not in files:
        return None
    return Layout(
        "student",
        _needed(files, "onnx/text_model.onnx"),
        None,
        _needed(files, "tokenizer.json"),
        _first(files, ["tokenizer_config.json"]),
        _needed(files, "config.json"),
        None,
    )


def _immich(files: frozenset[str], _: str | None) -> Layout | None:
    if not {"textual/model.onnx", "visual/model.onnx"} & files:
        return None
    return Layout(
        "immich",
        _needed(files, "textual/model.onnx"),
        _needed(files, "visual/model.onnx"),
        _needed(files, "textual/tokenizer.json"),
        _first(files, ["textual/tokenizer_config.json"]),
        _first(files, ["config.json"]),
        _needed(files, "visual/preprocess_cfg.json"),
    )


def _sentence_transformers(files: frozenset[str], _: str | None) -> Layout | None:
    graph = _graph(files, ("onnx/model", "model"))
    has_text_tower = any(PurePosixPath(path).name.startswith("text_model") for path in files)
    if graph is None or has_text_tower or "1_Pooling/config.json" not in files:
        return None
    for path in ("2_Dense/config.json", "2_Dense/model.safetensors"):
        _needed(files, path)
    return Layout(
        "sentence-transformers",
        graph,
        None,
        _needed(files, "tokenizer.json"),
        _first(files, ["tokenizer_config.json"]),
        _first(files, ["config.json"]),
        _first(files, [IMAGE_CONFIG]),
        pooling="1_Pooling",
        dense="2_Dense",
        length_config=_first(files, ["sentence_bert_config.json"]),
    )


def _split(files: frozenset[str], size: str | None) -> Layout | None:
    folders = {path.rpartition("/")[0] for path in files if path.endswith(".onnx") and "text_model" in path}
    folders |= {
        path.rpartition("/")[0] for path in files if path.endswith(".onnx") and "vision_model" in path
    }
    plain: list[str] = [folder for folder in ("onnx", "") if folder in folders]
    sizes = sorted(folders - {"onnx", ""})
    if size is not None:
        candidates = [folder for folder in sizes if folder.rpartition("/")[2] == size]
    else:
        candidates = plain or sizes
    if not candidates:
        return None
    if not plain and len(candidates) > 1:
        raise ModelError(f"this model comes in the sizes {_listed(sizes)}; name one of these folders")
    folder = candidates[0]
    within = f"{folder}/" if folder else ""
    return Layout(
        "size folder" if folder not in ("onnx", "") else "split" if folder else "root",
        _needed_graph(files, f"{within}text_model"),
        _needed_graph(files, f"{within}vision_model"),
        *_root_files(files, folder),
    )


def _static_pair(files: frozenset[str], _: str | None) -> Layout | None:
    """Match two graphs `textual` and `visual` in one folder, with CLIP's merges in a text file."""
    text = next((path for path in sorted(files) if PurePosixPath(path).name == "textual.onnx"), None)
    if text is None:
        return None
    folder = text.rpartition("/")[0]
    within = f"{folder}/" if folder else ""
    tokenizers = ["tokenizer.json", f"tokenizer/{_BPE}", _BPE]
    return Layout(
        "static pair",
        text,
        _needed(files, f"{within}visual.onnx"),
        _needed(files, _nearest(files, folder, tokenizers) or f"tokenizer/{_BPE}"),
        None,
        None,
        _nearest(files, folder, [IMAGE_CONFIG, "preprocess_cfg.json"]),
    )


def _fused(files: frozenset[str], _: str | None) -> Layout | None:
    graph = _graph(files, ("onnx/model", "model"))
    return Layout("fused", graph, graph, *_root_files(files, "")) if graph else None


def _root_files(files: frozenset[str], folder: str) -> tuple[str, str | None, str, str]:
    """Find tokenizer and configurations in the folder of the graphs or the nearest one above."""

    def near(*names: str) -> str | None:
        return _nearest(files, folder, list(names))

    return (
        near("tokenizer.json", _BPE) or _needed(files, "tokenizer.json"),
        near("tokenizer_config.json"),
        near("config.json") or _needed(files, "config.json"),
        near(IMAGE_CONFIG) or _needed(files, IMAGE_CONFIG),
    )


def _nearest(files: frozenset[str], start: str, names: list[str]) -> str | None:
    folders = [PurePosixPath(start), *PurePosixPath(start).parents] if start else [PurePosixPath()]
    return _first(files, [str(folder / name) for folder in folders for name in names])


def _first(files: frozenset[str], paths: Iterable[str]) -> str | None:
    return next((path for path in paths if path in files), None)


def _needed(files: frozenset[str], path: str) -> str:
    if path not in files:
        folder, _, name = path.rpartition("/")
        raise ModelError(
            f"the model has no file {name} in {folder or 'its folder'}", hint="fetch it or copy it there"
        )
    return path


def _needed_graph(files: frozenset[str], stem: str) -> str:
    return _graph(files, (stem,)) or _needed(files, f"{stem}.onnx")


def _graph(files: frozenset[str], stems: Iterable[str]) -> str | None:
    """Return the graph of that stem in the preferred precision. Raises ModelError for float16 only."""
    for stem in stems:
        if found := _first(files, [f"{stem}{precision}.onnx" for precision in _PRECISIONS]):
            return found
        if f"{stem}_fp16.onnx" in files:
            raise ModelError(
                f"{stem}_fp16.onnx has float16 weights, which the CPU cannot run",
                hint=f"add {stem}.onnx to the folder",
            )
    return None


def _no_layout(files: frozenset[str]) -> ModelError:
    if pickles := sorted(path for path in files if path.endswith(_REFUSED_PICKLES)):
        return pickle_error(pickles[0])
    known = "onnx/text_model.onnx with onnx/vision_model.onnx, onnx/model.onnx, or textual/ with visual/"
    return ModelError(
        expected=f"the graphs of a model, such as {known}", got=_listed(sorted(files)) or "nothing"
    )


def _listed(names: list[str], max_names: int = 6) -> str:
    return ", ".join(names[:max_names]) + (" …" if len(names) > max_names else "")


def _renamed(layout: Layout, named: Mapping[str, str]) -> Layout:
    known = set(Layout.__dataclass_fields__) - {"kind"}
    if unknown := sorted(set(named) - known):
        raise ModelError(expected=f"the names {_listed(sorted(known), 20)}", got=f"{_listed(unknown)}")
    return replace(layout, **named)


def read_config(path: Path | None) -> dict[str, Any]:
    """Read a JSON object from a configuration file of at most 4 MB; empty for None.

    Raises ModelError if the file is larger or is not a JSON object.
    """
    if path is None:
        return {}
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise ModelError(expected="a configuration file of at most 4 MB", got=f"a larger one, {path}")
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}", hint=RENEW) from error
    if not isinstance(value, dict):
        raise ModelError(expected=f"a JSON object in {path}", got=f"a {type(value).__name__}", hint=RENEW)
    return value
