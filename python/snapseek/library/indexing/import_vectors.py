"""From ready vectors to a library: check, make unit, store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import InputError
from snapseek.library.storage.database import Database, ImportRow
from snapseek.library.storage.disk_space import check_disk_space
from snapseek.library.storage.exclusive_writer import exclusive_writer
from snapseek.library.storage.library_meta import check_sharing, library_meta, queries_of
from snapseek.library.storage.shard import Advance, Queries, ShardDraft
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.models import Encoder
from snapseek.sources import EmbeddingFile, Embeddings, find_embeddings

_SHORTEST = 1e-6


def import_vectors(
    folder: Path,
    directory: Path,
    encoder: Encoder,
    *,
    queries: Queries | None = None,
    memory: str | int | None = None,
    threads: int,
    progress: Advance | None = None,
) -> None:
    """Import the vectors in `folder` into the library `directory`, replacing what came from there before.

    Does nothing when just these files are in it. Until the end the library answers as before; when it is
    stopped on the way it still does. Vectors are made unit; those without direction are left out and counted.
    See `Library.import_vectors` for the rest.
    """
    found = find_embeddings(folder)
    if found.dim != encoder.dim:
        raise InputError(
            f"expected vectors of {encoder.dim} numbers as '{encoder.name}' makes them, found {found.dim} in "
            f"{found.files[0].vectors}; name the model that made them"
        )
    with exclusive_writer(directory) as catalogue:
        if _is_current(catalogue, found, encoder):
            return
        check_sharing(catalogue, found.folder, encoder)
        check_disk_space(directory, found.rows, found.dim, _record_bytes(found))
        intake = _Intake(found, int(catalogue.settings().get("next_id", "1")), progress)
        with ShardDraft(ShardFiles(catalogue, directory), encoder.dim, intake.schema) as draft:
            for vectors, records in intake.rows():
                draft.extend(vectors, records)
            asked = queries_of(encoder, draft.rows, queries)
            draft.finish(asked, memory=memory, threads=threads, progress=progress)
        with catalogue.transaction():
            catalogue.replace_shards(found.folder, [draft.row()])
            catalogue.replace_imports(found.folder, intake.files)
            catalogue.set_settings(library_meta(directory, encoder, intake.next_id))


def _is_current(catalogue: Database, found: Embeddings, encoder: Encoder) -> bool:
    """Whether the ledger holds just these files, as they are, by this model."""
    if catalogue.settings().get("fingerprint") != encoder.space:
        return False
    rows = [row for row in catalogue.imports() if row.source == found.folder]
    known = {replace(row, left_out=0, reason=None) for row in rows}
    return known == {row for file in found.files for row in _ledger_rows(found, file)}


def _ledger_rows(found: Embeddings, file: EmbeddingFile) -> Iterator[ImportRow]:
    """Both files as they are now; the rows are counted at the vectors."""
    for path, rows in ((file.vectors, file.rows), (file.table, 0)):
        facts = path.stat()
        within = path.relative_to(found.folder).as_posix()
        yield ImportRow(found.folder, within, facts.st_size, facts.st_mtime_ns, rows)


class _Intake:
    """Rows on their way: unit vectors with their records, ids counted on from `next_id`."""

    def __init__(self, found: Embeddings, next_id: int, progress: Advance | None) -> None:
        self.schema = pa.schema([("id", pa.int64()), *found.columns.schema])
        self.next_id = next_id
        self.files: list[ImportRow] = []
        self._found = found
        self._progress = progress or (lambda stage, share: None)

    def rows(self) -> Iterator[tuple[NDArray[np.float32], pa.RecordBatch]]:
        """Unit vectors (n, dim) and their records, some thousands at a time; fills `files` by the way."""
        done = 0
        for file, blocks in self._found:
            bad: list[int] = []
            start = 0
            for block in blocks:
                unit, good = _made_unit(block.vectors)
                bad += (start + np.flatnonzero(~good)).tolist()
                yield unit[good], self._numbered(block.records, good)
                start += len(good)
                done += len(good)
                self._progress("read", done / self._found.rows)
            vectors, table = _ledger_rows(self._found, file)
            self.files += [replace(vectors, left_out=len(bad), reason=_reason(bad)), table]

    def _numbered(self, records: pa.RecordBatch, good: NDArray[np.bool_]) -> pa.RecordBatch:
        kept = records if good.all() else records.filter(pa.array(good))
        ids = np.arange(self.next_id, self.next_id + kept.num_rows, dtype=np.int64)
        self.next_id += kept.num_rows
        return pa.RecordBatch.from_arrays([pa.array(ids), *kept.columns], schema=self.schema)


def _made_unit(
    vectors: NDArray[np.float16] | NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The rows (n, dim) at unit length, and which of them have a direction, (n,)."""
    rows = np.asarray(vectors, dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    good = np.isfinite(lengths) & (lengths > _SHORTEST)
    lengths[~good] = 1
    return rows / lengths[:, None], good


def _reason(bad: list[int]) -> str | None:
    if not bad:
        return None
    return f"left out {len(bad)} rows without direction (zeros, NaN or infinity), the first is row {bad[0]}"


def _record_bytes(found: Embeddings) -> int:
    """Bytes of a record, by the first block."""
    for _, blocks in found:
        for block in blocks:
            return block.records.nbytes // max(1, block.records.num_rows)
    return 0
