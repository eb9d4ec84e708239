"""Compaction: merge small shards, drop deleted rows, and build IVF indexes for many rows.

An IVF shard is trained on its own rows and never changes. It is retrained together with smaller shards once
these hold half as many rows, and alone once a quarter of its rows are deleted.
"""

import math
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from snapseek.errors import StorageError
from snapseek.library.indexing.shard_rows import living_rows, schema_of
from snapseek.library.storage.database import Database
from snapseek.library.storage.disk_space import check_disk_space
from snapseek.library.storage.library_meta import fresh_version, queries_of
from snapseek.library.storage.shard_draft import ProgressCallback, Queries, ShardDraft
from snapseek.library.storage.shard_files import ShardFiles, remove_stray_files
from snapseek.library.storage.shard_view import ShardView
from snapseek.library.storage.shards import Shards
from snapseek.library.storage.shared_training import SharedTraining, TrainedIndex
from snapseek.models import Encoder
from snapseek.models.queries.sample_queries import sample_queries
from snapseek.vectors import index as core

SMALL_ROWS = 10_000
"""Fewer flat rows than this are always one shard: rewriting them takes a fraction of a second."""

Policy = Callable[[Sequence[ShardView]], list[ShardView]]
"""Selects which shards of a source to merge next; an empty list ends the compaction."""

_GROWTH = 0.5
"""A shard is merged with smaller ones once these hold this share of its rows."""

_MAX_DELETED = 0.25
"""A shard is rewritten once a larger share of its rows is deleted."""


@dataclass(frozen=True)
class CompactReport:
    """The number of shards before and after, and of the deleted rows that were dropped."""

    before: int = 0
    after: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class CompactOptions:
    """How shards are merged. `queries`, `memory`, `threads` and `progress` as in `VectorIndex.build`.

    Without `queries`, `encoder` makes sample queries when an IVF index is trained.
    """

    encoder: Callable[[], Encoder] | None = None
    queries: Queries | None = None
    memory: str | int | None = None
    threads: int | None = None
    progress: ProgressCallback | None = None
    training: TrainedIndex | None = None
    """What new indexes share with other partitions; by default what one of the merged shards has."""


def compact(
    database: Database, directory: Path, options: CompactOptions, policy: Policy | None = None
) -> CompactReport:
    """Merge shards until `policy` selects none; one commit for each new shard. Reads no picture.

    Parameters
    ----------
    database
        Open for writing.
    directory
        The library.
    options
        How shards are merged.
    policy
        What to merge; `compact_if_due` by default.

    Raises
    ------
    StorageError
        If the disk refuses or is too full.
    """
    before = len(database.shards.all())
    dropped = 0
    while (job := _next_job(database, directory, policy or compact_if_due)) is not None:
        source, parts = job
        dropped += sum(len(part.shard) - len(part) for part in parts)
        _merge(database, directory, source, parts, options)
    after = len(database.shards.all())
    return CompactReport(before, after, dropped)


def _next_job(
    database: Database, directory: Path, policy: Policy
) -> tuple[Path | None, list[ShardView]] | None:
    rows = database.shards.all()
    shards = Shards(directory, rows, database.shards.tombstones())
    pairs = zip(rows, shards.parts, strict=True)
    for source, group in groupby(pairs, key=lambda pair: pair[0].source):
        job = policy([part for _, part in group])
        if job:
            return source, job
    return None


def compact_all(parts: Sequence[ShardView]) -> list[ShardView]:
    """Select all shards of a source, unless they are a single one without deleted rows."""
    return list(parts) if len(parts) > 1 or any(part.alive is not None for part in parts) else []


def compact_if_due(parts: Sequence[ShardView]) -> list[ShardView]:
    """Select the shards of a source that are worth merging next.

    The flat ones if they are enough to train an IVF index, or few rows; otherwise a shard with all smaller
    ones if these hold half as many rows. So there are O(log n) shards, and each row is rewritten O(log n)
    times.
    """
    flat = [part for part in parts if part.is_flat]
    flat_rows = sum(map(len, flat))
    if flat_rows >= core.FLAT_ROWS or (flat_rows < SMALL_ROWS and compact_all(flat)):
        return flat
    return (
        _grown(parts)
        or [part for part in parts if len(part.shard) - len(part) > _MAX_DELETED * len(part.shard)][:1]
    )


def compact_flat_only(parts: Sequence[ShardView]) -> list[ShardView]:
    """Select flat shards to merge while a long index runs; nothing is trained."""
    return _grown([part for part in parts if part.is_flat], core.FLAT_ROWS)


def _grown(parts: Sequence[ShardView], max_rows: float = math.inf) -> list[ShardView]:
    """Return a shard with all smaller ones that hold half as many rows; fewer than `max_rows` in all."""
    by_size = sorted(parts, key=len, reverse=True)
    for rank, part in enumerate(by_size[:-1]):
        smaller = sum(map(len, by_size[rank + 1 :]))
        if smaller >= _GROWTH * len(part) and smaller + len(part) < max_rows:
            return by_size[rank:]
    return []


def _merge(
    database: Database,
    directory: Path,
    source: Path | None,
    parts: Sequence[ShardView],
    options: CompactOptions,
) -> None:
    rows = sum(map(len, parts))
    old = [part.shard.stem for part in parts]
    dim = parts[0].shard.index.dim
    record_bytes = sum(part.shard.records.size_bytes for part in parts) // max(
        1, sum(len(p.shard) for p in parts)
    )
    check_disk_space(directory, rows, dim, record_bytes)
    with ShardDraft(ShardFiles(database, directory), dim, schema_of(parts)) as draft:
        for part in parts:
            for vectors, records in living_rows(part, draft.schema):
                draft.extend(vectors, records)
        if draft.rows:
            queries = options.queries
            training = _training_of(database, parts, options)
            if queries is None and options.encoder is not None:
                if training is not None:
                    queries = sample_queries(options.encoder())
                elif rows >= core.FLAT_ROWS:
                    queries = queries_of(options.encoder(), rows, None)
            draft.finish(
                queries,
                memory=options.memory,
                threads=options.threads,
                progress=options.progress,
                training=training,
            )
        with database.transaction():
            database.shards.drop(old)
            if draft.rows:
                database.shards.add(draft.row(source))
            if options.training is not None:
                database.settings.update(options.training.shared.setting())
            database.settings.update(fresh_version())
    remove_stray_files(database, directory)


def _training_of(database: Database, parts: Sequence[ShardView], options: CompactOptions) -> Path | None:
    """Return an index with the training that the library shares with other partitions, if any."""
    if options.training is not None:
        return options.training.path
    shared = SharedTraining.of_settings(database.settings.all())
    known = (part.shard for part in parts if shared is not None and part.shard.training == shared.checksum)
    return next((shard.vector_path for shard in known), None)


def compact_if_space(
    database: Database, directory: Path, options: CompactOptions, policy: Policy | None = None
) -> str | None:
    """Compact as `compact` does. Return the reason if the disk refused, which is no error then."""
    try:
        compact(database, directory, options, policy)
    except (StorageError, sqlite3.OperationalError) as error:
        return str(error)
    return None
