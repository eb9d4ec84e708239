"""Split a source into tasks: consecutive pictures, or a pair of files with ready-made vectors."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from snapseek.absolute_path import absolute_path
from snapseek.errors import InputError
from snapseek.library.records.record_schema import record_schema
from snapseek.sources import find_embeddings, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from snapseek.sources import FetchLimits
    from snapseek.sources.picture import Picture

PICTURES = 512
"""Of a task: some ten seconds of one core, which is what a lost worker costs."""


@dataclass(frozen=True)
class Task:
    """A part of a source, and where its piece is written.

    Attributes
    ----------
    number
        The position of the piece: rows of a partition are in the order of its pieces.
    source
        The source that `pictures` are read from.
    folder
        The folder of the partition's pieces.
    digest
        Of what goes into the piece: the pictures as they were listed, and the model.
    pictures
        What to embed.
    vectors, table
        Ready-made vectors and their table, which are the piece already.
    schema
        The columns of the table that the piece gets.
    """

    number: int
    source: Path
    folder: Path
    digest: str
    pictures: tuple[Picture, ...] = ()
    vectors: Path | None = None
    table: Path | None = None
    schema: pa.Schema = field(default_factory=lambda: pa.schema([]))

    @property
    def rows(self) -> int:
        """The number of pictures."""
        return len(self.pictures)


def tasks_of(
    source: Path,
    target: Path,
    partitions: int | None,
    space: str,
    *,
    size: int = PICTURES,
    limits: FetchLimits | None = None,
) -> list[Task]:
    """Return the tasks of a source in order; those of a partition are consecutive.

    Parameters
    ----------
    source
        Whatever `open_source` takes, or a folder with ready-made vectors (npy and parquet).
    target
        Where pieces are written: `target/pieces/p-000`, one folder for each partition.
    partitions
        The number of partitions; fewer, if there are fewer tasks. None for all pieces in `target` itself.
    space
        The fingerprint of the model.
    size
        The number of pictures of a task.
    limits
        How URLs are fetched.

    Raises
    ------
    InputError
        The source is missing or has no picture.
    """
    root = absolute_path(source)
    parts = list(_pairs(root)) or list(_chunks(root, size, limits))
    if not parts:
        raise InputError(expected=f"a source with pictures at {source}", got="one without any")

    def folder_of(number: int) -> Path:
        if partitions is None:
            return target
        return target / "pieces" / f"p-{number * min(partitions, len(parts)) // len(parts):03}"

    return [
        replace(part, number=number, folder=folder_of(number), digest=_digest(space, part))
        for number, part in enumerate(parts)
    ]


def _pairs(root: Path) -> Iterator[Task]:
    """Yield a task for each pair of files with ready-made vectors; none for another source."""
    if not root.is_dir():
        return
    try:
        files = find_embeddings(root).files
    except InputError:
        return
    for file in files:
        yield Task(0, root, root, "", vectors=file.vectors, table=file.table)


def _chunks(root: Path, size: int, limits: FetchLimits | None) -> Iterator[Task]:
    source = open_source(root, limits=limits)
    pictures = list(source.find())
    schema = record_schema([], source.columns())
    schema = schema.remove(schema.get_field_index("id")) if "id" in schema.names else schema
    for start in range(0, len(pictures), size):
        yield Task(0, root, root, "", pictures=tuple(pictures[start : start + size]), schema=schema)


def _digest(space: str, task: Task) -> str:
    digest = hashlib.blake2b(space.encode(), digest_size=16)
    for picture in task.pictures:
        key = os.fsencode(f"{picture.folder}\0{picture.within}\0{picture.address}")
        digest.update(key + f"\0{picture.size_bytes} {picture.modified_ns}\n".encode())
    for path in (task.vectors, task.table):
        if path is not None:
            status = path.stat()
            digest.update(os.fsencode(path) + f"\0{status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
