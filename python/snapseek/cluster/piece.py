"""A piece: the vectors and records of one task, in clip-retrieval's layout.

    img_emb/img_emb_0007.npy          (rows, dim) float16
    metadata/metadata_0007.parquet    the same rows; its metadata has the digest of the task

Both files are written under other names and renamed, the table last. So a piece is there or not, and a task
that runs twice, even at the same time, writes the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snapseek.atomic_file import atomic_file
from snapseek.errors import StorageError
from snapseek.library.indexing.embed import embed_pictures
from snapseek.sources import open_source

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from snapseek.cluster.tasks import Task
    from snapseek.models import Encoder
    from snapseek.sources import FetchLimits

_DIGEST = b"snapseek_task"
_FAILURES = b"snapseek_failures"
_MAX_FAILURES = 1000


@dataclass(frozen=True)
class PieceReport:
    """What a task has done: rows written, and pictures that could not be read, with the reason."""

    number: int
    rows: int
    failures: tuple[tuple[str, str], ...] = ()


def piece_paths(folder: Path, number: int) -> tuple[Path, Path]:
    """Return the paths of the vectors and of the table of a piece."""
    return (
        folder / "img_emb" / f"img_emb_{number:04}.npy",
        folder / "metadata" / f"metadata_{number:04}.parquet",
    )


def finished_piece(task: Task) -> PieceReport | None:
    """Return the report of a piece that is there and whole; None if the task still has to run."""
    vectors, table = piece_paths(task.folder, task.number)
    try:
        metadata = pq.read_metadata(table)
        rows = np.load(vectors, mmap_mode="r").shape[0]
    except (OSError, ValueError, pa.ArrowException):
        return None
    found = metadata.metadata or {}
    if found.get(_DIGEST) != task.digest.encode() or metadata.num_rows != rows:
        return None
    failures = json.loads(found.get(_FAILURES, b"[]"))
    return PieceReport(task.number, rows, tuple((name, reason) for name, reason in failures))


def write_piece(
    task: Task, encoder: Encoder, *, threads: int = 1, limits: FetchLimits | None = None
) -> PieceReport:
    """Embed the pictures of a task and write its piece, unless it is there.

    Raises
    ------
    StorageError
        The disk refuses.
    InputError
        The source is no longer there.
    """
    done = finished_piece(task)
    if done is not None:
        return done
    try:
        vectors, table = piece_paths(task.folder, task.number)
        for path in (vectors, table):
            path.parent.mkdir(parents=True, exist_ok=True)
        if task.vectors is not None and task.table is not None:
            return _copied(task, task.vectors, task.table)
        source = open_source(task.source, limits=limits)
        rows, records, failures = [], [], []
        for outcome in embed_pictures(source.read(task.pictures), encoder, threads):
            if outcome.vector is None or outcome.record is None:
                failures.append((outcome.picture.uri, outcome.reason or "it cannot be read"))
                continue
            rows.append(outcome.vector)
            records.append(outcome.record)
        matrix = np.concatenate([np.zeros((0, encoder.dim), np.float32), *rows]).astype(np.float16)
        _write(task, matrix, pa.Table.from_pylist(records, task.schema), failures)
    except OSError as error:
        raise StorageError(f"cannot write {task.folder}: {error.strerror or error}") from error
    return PieceReport(task.number, len(matrix), tuple(failures))


def _copied(task: Task, vectors: Path, table: Path) -> PieceReport:
    """Write the piece of ready-made vectors."""
    matrix = np.load(vectors, mmap_mode="r")
    _write(task, matrix, pq.read_table(table), [])
    return PieceReport(task.number, len(matrix))


def _write(
    task: Task, matrix: NDArray[np.floating[Any]], table: pa.Table, failures: list[tuple[str, str]]
) -> None:
    vectors_path, table_path = piece_paths(task.folder, task.number)
    known = {_DIGEST: task.digest, _FAILURES: json.dumps(failures[:_MAX_FAILURES])}
    with atomic_file(vectors_path) as stream:
        np.save(stream, matrix)
    with atomic_file(table_path) as stream:
        pq.write_table(table.replace_schema_metadata(known), stream)


def remove_other_pieces(folder: Path, numbers: set[int]) -> None:
    """Remove pieces of an earlier run that no task of this one has."""
    for number, path in _pieces_in(folder):
        if number not in numbers:
            path.unlink(missing_ok=True)


def _pieces_in(folder: Path) -> list[tuple[int, Path]]:
    found = []
    for kind, suffix in (("img_emb", ".npy"), ("metadata", ".parquet")):
        for path in sorted((folder / kind).glob(f"{kind}_*{suffix}")):
            digits = path.stem.removeprefix(f"{kind}_")
            if digits.isdecimal():
                found.append((int(digits), path))
    return found
