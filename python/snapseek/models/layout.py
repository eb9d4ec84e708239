"""Where the files of a model lie."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapseek.errors import ModelError

STARTER = "starter"
_STARTER_DIRECTORY = Path(__file__).parent / "starter"
_MAX_CONFIG_BYTES = 4 << 20


@dataclass(frozen=True)
class ModelFiles:
    """The files of one model; every path exists, except `examples`, which a model may lack."""

    name: str
    text_graph: Path
    image_graph: Path
    tokenizer: Path
    tokenizer_config: Path
    config: Path
    preprocessor_config: Path
    examples: Path


def find_model(model: str | Path) -> ModelFiles:
    """The files of the model called `starter`, or of the model that lies in a directory.

    Raises ModelError when there is no such model, or when a file of it is missing.
    """
    if model == STARTER:
        return _files(STARTER, _STARTER_DIRECTORY)
    directory = Path(model)
    if not directory.is_dir():
        raise ModelError(
            f"expected a model: '{STARTER}' or a directory with one; found no directory {str(model)!r}"
        )
    return _files(str(directory.resolve()), directory)


def _files(name: str, root: Path) -> ModelFiles:
    graphs = root / "onnx" if (root / "onnx").is_dir() else root
    return ModelFiles(
        name=name,
        text_graph=_existing(graphs / "text_model.onnx"),
        image_graph=_existing(graphs / "vision_model.onnx"),
        tokenizer=_existing(root / "tokenizer.json"),
        tokenizer_config=_existing(root / "tokenizer_config.json"),
        config=_existing(root / "config.json"),
        preprocessor_config=_existing(root / "preprocessor_config.json"),
        examples=root / "examples.json",
    )


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ModelError(f"a model needs the file {path.name}; there is none in {path.parent}")
    return path


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object from a configuration file of at most 4 MB. Raises ModelError for anything else."""
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise ModelError(f"expected a configuration file under 4 MB; {path} is larger")
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"expected JSON in {path}: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"expected a JSON object in {path}, found a {type(value).__name__}")
    return value
