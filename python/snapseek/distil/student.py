"""Write the folder of a student: a text tower in the layout of CLIP exports, and its teacher."""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from snapseek.atomic_file import atomic_file
from snapseek.distil.onnx_graph import FLOAT, Graph
from snapseek.errors import InputError, ModelError, StorageError
from snapseek.models import Encoder
from snapseek.models.hub.known_models import remember_student
from snapseek.models.hub.layout import STUDENT
from snapseek.models.hub.model_files import Teacher

STUDENT_OUTPUT = "text_embeds"
FASTER_TOWER = "onnx/text_model_int8.onnx"
"""A second precision of the tower, for a CPU that runs it faster."""

_FILES = (
    "onnx/text_model.onnx",
    FASTER_TOWER,
    "tokenizer.json",
    "config.json",
    "tokenizer_config.json",
    STUDENT,
)
"""All files that a student's folder may have."""
_CLEANING = {"canonical": "canonicalize", "lower": "lower"}


class Weights(Protocol):
    """Trained weights that can be added to a graph."""

    def add_to(self, graph: Graph, ids: str, mask: str) -> str:
        """Add the student: ids int64 (N, L), mask float32 (N, L) → unit rows (N, dim)."""


def check_replaceable(out: Path) -> None:
    """Raise InputError if `out` is neither free nor a student that may be replaced."""
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not out.is_dir():
        raise InputError(expected="a free path or an older student", got=f"something else at {out}")
    if not any(out.iterdir()):
        return
    files = (path for path in out.rglob("*") if path.is_symlink() or not path.is_dir())
    found = {path.relative_to(out).as_posix() for path in files}
    try:
        Teacher.read(out / STUDENT)
    except ModelError as error:
        raise InputError(
            expected="a free path or an older student", got=f"something else at {out}"
        ) from error
    foreign = sorted(found - set(_FILES)) + [name for name in _FILES if (out / name).is_symlink()]
    if foreign:
        raise InputError(
            expected=f"an older student and nothing else in {out}",
            got=", ".join(foreign[:3]),
            hint="move it away, or name another path",
        )


def write_folder(
    out: Path, write_tower: Callable[[Path], object], teacher: Encoder, metadata: Mapping[str, object]
) -> None:
    """Write the folder `out`, replacing an older student; `metadata` is added to its `student.json`.

    `write_tower` writes the text tower to a path. Raises its errors, InputError if `out` is something else,
    and StorageError if the folder cannot be written; after an error, the older student is still there.
    """
    check_replaceable(out)
    draft, old = (out.with_name(f".{out.name}.{secrets.token_hex(8)}.tmp") for _ in range(2))
    try:
        draft.mkdir(parents=True)
        (draft / "onnx").mkdir()
        write_tower(draft / "onnx/text_model.onnx")
        teacher.text.tokenizer.save(draft / "tokenizer.json")
        for name, content in _settings(teacher, metadata).items():
            (draft / name).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        check_replaceable(out)
        if out.exists():
            out.rename(old)
        draft.rename(out)
        remember_student(out)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        remove_student(draft)
        if old.exists() and not out.exists():
            old.rename(out)
        remove_student(old)


def remove_faster_tower(out: Path) -> None:
    """Remove the second precision of a student's tower. Raises StorageError if it cannot be removed."""
    try:
        (out / FASTER_TOWER).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}") from error
    remember_student(out)


def remove_student(folder: Path) -> None:
    """Remove the files of a student, and its folder if nothing else is in it."""
    with suppress(OSError):
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
        for directory in (folder / "onnx", folder):
            directory.rmdir()


def update_metadata(out: Path, metadata: Mapping[str, object]) -> None:
    """Add fields to the `student.json` of a student. Raises StorageError if it cannot be written."""
    path = out / STUDENT
    try:
        content = json.dumps({**json.loads(path.read_text("utf-8")), **metadata}, indent=1) + "\n"
        with atomic_file(path) as file:
            file.write(content.encode())
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
    remember_student(out)


def write_text_tower(path: Path, weights: Weights, dim: int) -> int:
    """Write `input_ids`, `attention_mask` int64 (N, L) → `text_embeds` float32 (N, dim).

    Returns the size in bytes.
    """
    graph = Graph("snapseek student: text tower")
    ids = graph.input("input_ids", "int64", ["N", "L"])
    mask = graph.op("Cast", graph.input("attention_mask", "int64", ["N", "L"]), to=FLOAT)
    return graph.write(path, weights.add_to(graph, ids, mask), STUDENT_OUTPUT, dim, "see student.json")


def _settings(teacher: Encoder, metadata: Mapping[str, object]) -> dict[str, dict[str, object]]:
    tokens = teacher.text.tokenizer
    text_config: dict[str, object] = {"context_length": tokens.context_length, "vocab_size": tokens.size}
    if tokens.clean in _CLEANING:
        text_config["tokenizer_kwargs"] = {"clean": _CLEANING[tokens.clean]}
    source = teacher.teacher  # the student of a student shares the first teacher's space
    origin = {
        "name": source.name if source else teacher.name,
        "fingerprint": source.fingerprint if source else teacher.fingerprint,
    }
    return {
        STUDENT: {"teacher": origin, **metadata},
        "config.json": {
            "model_type": "snapseek_student",
            "projection_dim": teacher.dim,
            "text_cfg": text_config,
        },
        "tokenizer_config.json": tokens.special_tokens(),
    }
