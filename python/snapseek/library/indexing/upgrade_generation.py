"""The second generation of vectors during an upgrade: written in batches, and read back at the switch."""

import time
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import FormatError, SnapseekError
from snapseek.library.indexing import batch_writer
from snapseek.library.storage.database import Database
from snapseek.library.storage.fsync import sync_directory
from snapseek.library.storage.schema import SHARDS
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.upgrade_table import NO_VECTOR, VERSION
from snapseek.models import Encoder
from snapseek.vectors.index import VectorIndex

__all__ = ["VERSION", "BatchOfVectors", "NewVectors", "begin"]


def begin(database: Database, library: Path, encoder: Encoder) -> None:
    """Begin or go on with the upgrade to a model. Vectors of another one, and damaged files, are dropped."""
    model = database.upgrade.model()
    with database.transaction():
        if model is None or model[1] != encoder.space:
            database.upgrade.begin(encoder.name, encoder.space)
        for number, stem in database.upgrade.shards().items():
            if not _is_whole(library, stem, encoder.dim):
                database.upgrade.forget_shard(number, stem)


def _is_whole(library: Path, stem: str, dim: int) -> bool:
    try:
        index = VectorIndex.open(_path(library, stem))
        index.verify()
    except (SnapseekError, OSError):
        return False
    return index.dim == dim


def _path(library: Path, stem: str) -> Path:
    return library / SHARDS / f"{stem}.snap"


class BatchOfVectors:
    """Vectors of the new model, committed when enough are there. Leaving the block drops the others."""

    def __init__(self, database: Database, files: ShardFiles, *, from_previews: bool) -> None:
        self._database = database
        self._files = files
        self._from_previews = from_previews
        self._batch_s = batch_writer.FIRST_BATCH_S
        self._began_s = time.monotonic()
        self._items: list[int] = []
        self._vectors: list[NDArray[np.float32]] = []
        self._lost: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._items, self._vectors, self._lost = [], [], []

    def add(self, item: int, vector: NDArray[np.float32] | None) -> None:
        """Add the vector (1, dim) of a picture, None if the model cannot embed it; commit a full batch."""
        if vector is None:
            self._lost.append(item)
        else:
            self._items.append(item)
            self._vectors.append(vector)
        is_full = len(self._items) + len(self._lost) >= batch_writer.BATCH_ROWS
        if is_full or time.monotonic() - self._began_s >= self._batch_s:
            self.commit()
            self._batch_s = min(batch_writer.BATCH_S, 2 * self._batch_s)

    def commit(self) -> None:
        """Commit the batch. Raises StorageError if the disk refuses."""
        table = self._database.upgrade
        stem = self._write() if self._items else None
        if stem is not None or self._lost:
            with self._database.transaction():
                if stem is not None:
                    number = table.add_shard(stem)
                    table.add_items(number, self._items, from_previews=self._from_previews)
                table.add_items(NO_VECTOR, self._lost, from_previews=self._from_previews)
        if stem is not None:
            self._files.release(stem)
        self.__exit__()
        self._began_s = time.monotonic()

    def _write(self) -> str:
        """Write the vectors to a new file, and return its stem."""
        stem = self._files.new_stem()
        try:
            self._files.record(stem)
            path = self._files.directory / f"{stem}.snap"
            VectorIndex.build(np.concatenate(self._vectors), ids=self._items, path=path)
            sync_directory(self._files.directory)
            self._files.record(stem, "snap", is_finished=True)
        except BaseException:
            self._files.remove_draft(stem)
            raise
        return stem


class NewVectors:
    """Reads the vectors of the second generation by the ids of pictures."""

    def __init__(self, database: Database, library: Path, dim: int) -> None:
        self._dim = dim
        self._items, self._shards = database.upgrade.items()
        self._opened: dict[int, tuple[VectorIndex, NDArray[np.int64], NDArray[np.int64]]] = {}
        for number, stem in database.upgrade.shards().items():
            index = VectorIndex.open(_path(library, stem))
            ids = index.ids()
            order = np.argsort(ids, kind="stable")
            self._opened[number] = (index, ids[order], order)

    def get(self, items: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the vectors (n, dim) float32 of those `items` that have one, and which have one."""
        numbers = self._numbers(items)
        found = numbers != NO_VECTOR
        rows = np.zeros((len(items), self._dim), np.float32)
        for number in np.unique(numbers[found]).tolist():
            index, ids, order = self._opened[number]
            wanted = np.flatnonzero(numbers == number)
            positions = np.minimum(np.searchsorted(ids, items[wanted]), len(ids) - 1)
            if not np.array_equal(ids[positions], items[wanted]):
                raise FormatError(
                    expected="the vectors of an unfinished upgrade to be in their file", got="others"
                )
            rows[wanted] = index.vectors(order[positions])
        return rows[found], found

    def _numbers(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the shard of each id, `NO_VECTOR` for ids that have none."""
        if not len(self._items):
            return np.full(len(items), NO_VECTOR)
        positions = np.minimum(np.searchsorted(self._items, items), len(self._items) - 1)
        return np.where(self._items[positions] == items, self._shards[positions], NO_VECTOR)
