"""Make the library of a partition of its pieces, and publish it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyarrow import ArrowException
from pyarrow import fs as arrow_fs

from snapseek.atomic_file import atomic_file
from snapseek.collection.training import FILE_NAME as TRAINING
from snapseek.collection.training import Block, Source, train
from snapseek.errors import SnapseekError, StorageError
from snapseek.library.indexing.import_vectors import import_vectors
from snapseek.library.storage.schema import FILE_NAME, SHARDS
from snapseek.library.storage.shared_training import SharedTraining, TrainedIndex
from snapseek.threads import resolve_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from snapseek.models import Encoder

_MARK = "partition.json"
_BLOCK_ROWS = 8192


@dataclass(frozen=True)
class PartitionJob:
    """A partition to make.

    Attributes
    ----------
    name
        Its name, such as `p-003`.
    pieces
        The folder with its pieces.
    digests
        Those of all its tasks: the same digests make the same library.
    target
        The folder that gets `NAME.snapseek`.
    upload
        The URI of an object store that gets a copy; empty for none.
    training
        What all partitions share; None for few pictures.
    """

    name: str
    pieces: Path
    digests: tuple[str, ...]
    target: Path
    upload: str = ""
    training: TrainedIndex | None = None

    @property
    def mark(self) -> list[str]:
        """What the library is made of."""
        return [*self.digests, *([] if self.training is None else [self.training.shared.checksum])]

    @property
    def path(self) -> Path:
        """The path of the library."""
        return self.target / f"{self.name}.snapseek"

    @property
    def location(self) -> str:
        """What the manifest names."""
        return f"{self.upload.rstrip('/')}/{self.path.name}" if self.upload else str(self.path)


def make_partition(job: PartitionJob, encoder: Encoder, *, threads: int | None = None) -> str:
    """Import the pieces of a partition into a library, publish it by one rename, and return its location.

    A partition that was published from the same pieces stays as it is.

    Raises
    ------
    StorageError
        The disk or the object store refuses.
    """
    if _mark_of(job.path) != job.mark:
        draft = job.target / f".{job.name}.{secrets.token_hex(8)}.tmp"
        try:
            import_vectors(
                job.pieces, draft, encoder, threads=resolve_threads(threads), training=job.training
            )
            (draft / _MARK).write_text(json.dumps(job.mark))
            _publish(draft, job.path)
        except OSError as error:
            raise StorageError(f"cannot write {job.path}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    if job.upload:
        _upload(job)
    return job.location


def train_partitions(
    jobs: Sequence[PartitionJob], encoder: Encoder, *, threads: int | None = None
) -> TrainedIndex | None:
    """Train an index for all partitions on a sample of their pieces, next to them; None for few pictures.

    One that was trained for the same pieces stays as it is. Raises StorageError.
    """
    target = jobs[0].target
    path, mark = target / TRAINING, target / f".{TRAINING}.json"
    digest = hashlib.blake2b(json.dumps([job.digests for job in jobs]).encode(), digest_size=16).hexdigest()
    sources = [_source_of(job.pieces) for job in jobs]
    rows = sum(source.rows for source in sources)
    with contextlib.suppress(OSError, ValueError, SnapseekError):
        if json.loads(mark.read_text()) == digest:
            return TrainedIndex(path, SharedTraining.of_index(path, rows))
    trained = train(sources, path, encoder, threads=threads)
    if trained is not None:
        with atomic_file(mark) as stream:
            stream.write(json.dumps(digest).encode())
    return trained


def _source_of(pieces: Path) -> Source:
    """Return the vectors of the pieces in a folder."""
    found = [np.load(path, mmap_mode="r") for path in sorted((pieces / "img_emb").glob("*.npy"))]

    def blocks() -> Iterator[Block]:
        for vectors in found:
            for start in range(0, len(vectors), _BLOCK_ROWS):
                yield vectors[start : start + _BLOCK_ROWS]

    return Source(sum(map(len, found)), blocks)


def _mark_of(library: Path) -> object:
    """Return the digests that a published partition was made of; None if there is none."""
    try:
        return json.loads((library / _MARK).read_text())
    except (OSError, ValueError):
        return None


def _publish(draft: Path, path: Path) -> None:
    """Rename the draft. A partition that an earlier run has published is replaced."""
    former = draft.with_suffix(".old")
    with contextlib.suppress(FileNotFoundError):
        path.rename(former)
    try:
        draft.rename(path)
    except OSError:
        if not (path / _MARK).is_file():  # the same task may have published it on another machine
            raise
    shutil.rmtree(former, ignore_errors=True)


def _upload(job: PartitionJob) -> None:
    """Copy a library to an object store, the commit last."""
    try:
        store, root = arrow_fs.FileSystem.from_uri(job.location)
        store.create_dir(f"{root}/{SHARDS}", recursive=True)
        files = [*sorted((job.path / SHARDS).iterdir()), job.path / FILE_NAME]
        for file in files:
            name = file.relative_to(job.path).as_posix()
            arrow_fs.copy_files(str(file), f"{root}/{name}", arrow_fs.LocalFileSystem(), store)
    except (OSError, ArrowException, ValueError) as error:
        raise StorageError(f"cannot upload {job.path} to {job.location}: {error}") from error
