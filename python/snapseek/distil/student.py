"""The folder of a student: a text tower with the names of the CLIP exports, and who its teacher is."""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from onnx import TensorProto

from snapseek.atomic_file import atomic_file
from snapseek.distil.onnx_graph import Graph
from snapseek.errors import InputError, ModelError, StorageError
from snapseek.models import Encoder
from snapseek.models.hub.layout import STUDENT
from snapseek.models.hub.model_files import Teacher

STUDENT_OUTPUT = "text_embeds"
_FILES = ("onnx/text_model.onnx", "tokenizer.json", "config.json", "tokenizer_config.json", STUDENT)
"""All that a student's folder holds."""
_CLEANING = {"canonical": "canonicalize", "lower": "lower"}


class Weights(Protocol):
    """What was learned, as a part of a graph."""

    def add_to(self, graph: Graph, ids: str, mask: str) -> str:
        """Add the student: ids int64 (N, L), mask float32 (N, L) → unit rows (N, dim)."""


def check_place(out: Path) -> None:
    """Raise InputError where `out` is something else than a student that may be replaced."""
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not out.is_dir():
        raise InputError(expected="an empty place or an older student", got=f"something else at {out}")
    if not any(out.iterdir()):
        return
    files = (path for path in out.rglob("*") if path.is_symlink() or not path.is_dir())
    found = {path.relative_to(out).as_posix() for path in files}
    try:
        Teacher.read(out / STUDENT)
    except ModelError as error:
        raise InputError(
            expected="an empty place or an older student", got=f"something else at {out}"
        ) from error
    strangers = sorted(found - set(_FILES)) + [name for name in _FILES if (out / name).is_symlink()]
    if strangers:
        raise InputError(
            expected=f"an older student and nothing else in {out}",
            got=", ".join(strangers[:3]),
            hint="move it away, or name another place",
        )


def write_folder(
    out: Path, write_tower: Callable[[Path], object], teacher: Encoder, told: Mapping[str, object]
) -> None:
    """Write the folder `out`, replacing an older student there; `told` are further facts to keep in it.

    `write_tower` writes the text tower to the path that it is given. Raises whatever it raises, InputError
    where something else is at `out`, StorageError when the disk refuses; what was there stays then.
    """
    check_place(out)
    draft, old = (out.with_name(f".{out.name}.{secrets.token_hex(8)}.tmp") for _ in range(2))
    try:
        draft.mkdir(parents=True)
        (draft / "onnx").mkdir()
        write_tower(draft / "onnx/text_model.onnx")
        teacher.text.tokenizer.save(draft / "tokenizer.json")
        for name, content in _settings(teacher, told).items():
            (draft / name).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        check_place(out)
        if out.exists():
            out.rename(old)
        draft.rename(out)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        _remove_student(draft)
        if old.exists() and not out.exists():
            old.rename(out)
        _remove_student(old)


def _remove_student(folder: Path) -> None:
    """Remove the files of a student, and its folder if nothing else is in it."""
    with suppress(OSError):
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
        for place in (folder / "onnx", folder):
            place.rmdir()


def note(out: Path, told: Mapping[str, object]) -> None:
    """Keep further facts in the `student.json` of a student. Raises StorageError when the disk refuses."""
    path = out / STUDENT
    try:
        content = json.dumps({**json.loads(path.read_text("utf-8")), **told}, indent=1) + "\n"
        with atomic_file(path) as file:
            file.write(content.encode())
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error


def write_text_tower(path: Path, weights: Weights, dim: int) -> int:
    """Write `input_ids`, `attention_mask` int64 (N, L) → `text_embeds` float32 (N, dim); its bytes."""
    graph = Graph("snapseek student: text tower")
    ids = graph.input("input_ids", "int64", ["N", "L"])
    mask = graph.op("Cast", graph.input("attention_mask", "int64", ["N", "L"]), to=TensorProto.FLOAT)
    return graph.write(path, weights.add_to(graph, ids, mask), STUDENT_OUTPUT, dim, "see student.json")


def _settings(teacher: Encoder, told: Mapping[str, object]) -> dict[str, dict[str, object]]:
    tokens = teacher.text.tokenizer
    wording: dict[str, object] = {"context_length": tokens.context_length, "vocab_size": tokens.size}
    if tokens.clean in _CLEANING:
        wording["tokenizer_kwargs"] = {"clean": _CLEANING[tokens.clean]}
    source = teacher.teacher  # a student's student answers in the first teacher's space
    named = {
        "name": source.name if source else teacher.name,
        "fingerprint": source.fingerprint if source else teacher.fingerprint,
    }
    return {
        STUDENT: {"teacher": named, **told},
        "config.json": {"model_type": "snapseek_student", "projection_dim": teacher.dim, "text_cfg": wording},
        "tokenizer_config.json": tokens.special_tokens(),
    }
