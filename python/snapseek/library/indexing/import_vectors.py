"""Import vectors that were made elsewhere: check, normalize, store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import InputError
from snapseek.library.indexing.sync_report import SyncReport
from snapseek.library.storage.confirmations import Confirmed, confirm
from snapseek.library.storage.database import Database
from snapseek.library.storage.disk_space import check_disk_space
from snapseek.library.storage.import_table import ImportRow
from snapseek.library.storage.library_meta import check_sharing, library_meta, queries_of
from snapseek.library.storage.shard_draft import ProgressCallback, Queries, ShardDraft
from snapseek.library.storage.shard_files import ShardFiles, exclusive_writer
from snapseek.library.storage.shared_training import TrainedIndex
from snapseek.models import Encoder
from snapseek.models.queries.sample_queries import sample_queries
from snapseek.sources import EmbeddingFile, Embeddings, find_embeddings
from snapseek.sources.fields.record_values import Losses

_MIN_NORM = 1e-6
"""Shorter vectors have no direction."""


def import_vectors(
    folder: Path,
    directory: Path,
    encoder: Encoder,
    *,
    queries: Queries | None = None,
    memory: str | int | None = None,
    threads: int,
    progress: ProgressCallback | None = None,
    training: TrainedIndex | None = None,
) -> SyncReport:
    """Import the vectors in `folder` into the library at `directory`, in one commit; return what was done.

    Replaces what was imported from that folder before; does nothing if the same files are imported already.
    Vectors are normalized; those without a direction are skipped and counted.

    Parameters
    ----------
    folder
        The folder with the vectors and their table.
    directory
        The library.
    encoder
        The model that made the vectors.
    queries
        (q, dim) queries to train the index for; by default sample queries of the model.
    memory
        Bounds the memory of the build, as in `VectorIndex.build`.
    threads
        How many threads build the index.
    progress
        Called with the name of a stage and the share of it that is done.
    training
        What the library shares with other partitions.

    Raises
    ------
    InputError
        If the vectors cannot be read, or have another dimension than those of the model.
    ModelMismatchError
        If the library holds vectors of another model.
    StorageError
        If the disk refuses or is too full.
    LibraryBusyError
        If another process is writing.
    """
    found = find_embeddings(folder)
    if found.dim != encoder.dim:
        raise InputError(
            expected=f"vectors of dimension {encoder.dim}, as '{encoder.name}' makes them",
            got=f"dimension {found.dim} in {found.files[0].vectors}",
            hint="name the model that made them",
        )
    with exclusive_writer(directory) as database:
        named = Confirmed((found.folder,), urls=True, models=(encoder.name,))
        if _is_current(database, found, encoder):
            confirm(database, directory, named)
            left_out = sum(row.left_out for row in database.imports.all() if row.source == found.folder)
            return SyncReport(unchanged=found.rows, failed_before=left_out)
        check_sharing(database, found.folder, encoder)
        check_disk_space(directory, found.rows, found.dim, _record_bytes(found))
        rows = _ImportedRows(found, int(database.settings.all().get("next_id", "1")), progress)
        with ShardDraft(ShardFiles(database, directory), encoder.dim, rows.schema) as draft:
            for vectors, records in rows.blocks():
                draft.extend(vectors, records)
            if training is not None and queries is None:
                queries = sample_queries(encoder)
            draft.finish(
                queries_of(encoder, draft.rows, queries),
                memory=memory,
                threads=threads,
                progress=progress,
                training=None if training is None else training.path,
            )
        with database.transaction():
            database.shards.replace(found.folder, [draft.row()])
            database.imports.replace(found.folder, rows.files)
            database.settings.update(library_meta(directory, encoder, rows.next_id))
            if training is not None:
                database.settings.update(training.shared.setting())
        confirm(database, directory, named)
    left_out = sum(row.left_out for row in rows.files)
    return SyncReport(added=found.rows - left_out, failed=left_out, notes=rows.losses.notes())


def _is_current(database: Database, found: Embeddings, encoder: Encoder) -> bool:
    """Return whether exactly these files were imported, unchanged, for this model."""
    if database.settings.all().get("fingerprint") != encoder.space:
        return False
    rows = [row for row in database.imports.all() if row.source == found.folder]
    known = {replace(row, left_out=0, reason=None) for row in rows}
    return known == {row for file in found.files for row in _import_rows(found, file)}


def _import_rows(found: Embeddings, file: EmbeddingFile) -> Iterator[ImportRow]:
    """Yield the rows of both files as they are now; those of the table count 0 vectors."""
    for path, rows in ((file.vectors, file.rows), (file.table, 0)):
        status = path.stat()
        within = path.relative_to(found.folder).as_posix()
        yield ImportRow(found.folder, within, status.st_size, status.st_mtime_ns, rows)


class _ImportedRows:
    """The unit vectors and records of a folder, with consecutive ids from `next_id`."""

    def __init__(self, found: Embeddings, next_id: int, progress: ProgressCallback | None) -> None:
        self.schema = pa.schema([("id", pa.int64()), *found.columns.schema])
        self.next_id = next_id
        self.files: list[ImportRow] = []
        self.losses = Losses()
        self._found = found
        self._progress = progress or (lambda stage, share: None)

    def blocks(self) -> Iterator[tuple[NDArray[np.float32], pa.RecordBatch]]:
        """Yield unit vectors (n, dim) and their records, block by block; fills `files` on the way."""
        done = 0
        for file, blocks in self._found.read(self.losses):
            bad: list[int] = []
            start = 0
            for block in blocks:
                unit, good = _normalized(block.vectors)
                bad += (start + np.flatnonzero(~good)).tolist()
                yield unit[good], self._numbered(block.records, good)
                start += len(good)
                done += len(good)
                self._progress("read", done / self._found.rows)
            vectors, table = _import_rows(self._found, file)
            self.files += [replace(vectors, left_out=len(bad), reason=_reason(bad)), table]

    def _numbered(self, records: pa.RecordBatch, good: NDArray[np.bool_]) -> pa.RecordBatch:
        kept = records if good.all() else records.filter(pa.array(good))
        ids = np.arange(self.next_id, self.next_id + kept.num_rows, dtype=np.int64)
        self.next_id += kept.num_rows
        return pa.RecordBatch.from_arrays([pa.array(ids), *kept.columns], schema=self.schema)


def _normalized(
    vectors: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the rows (n, dim) at unit length, and which of them have a direction, (n,) bool."""
    rows: NDArray[Any] = np.asarray(vectors, dtype=np.float64 if vectors.dtype.itemsize == 8 else np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        good = np.isfinite(lengths) & (lengths > _MIN_NORM)
        lengths[~good] = 1
        return (rows / lengths[:, None]).astype(np.float32, copy=False), good


def _reason(bad: list[int]) -> str | None:
    if not bad:
        return None
    return f"skipped {len(bad)} rows without a direction (zeros, NaN or infinity), the first is row {bad[0]}"


def _record_bytes(found: Embeddings) -> int:
    """Return the bytes of a record, estimated from the first block."""
    for _, blocks in found.read(Losses()):
        for block in blocks:
            return block.records.nbytes // max(1, block.records.num_rows)
    return 0
