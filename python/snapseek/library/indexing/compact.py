"""Fewer and larger shards: small ones merged, removed rows dropped, many rows put into inverted lists.

A shard of inverted lists is trained for the rows that it was made of, and never changes; so what drifts is
not a shard but the library around it. It is trained anew when those around it have grown to half its size, or
when a quarter of it was removed.
"""

import math
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from snapseek.errors import StorageError
from snapseek.library.indexing.merge import living_rows, schema_of
from snapseek.library.storage.database import Database
from snapseek.library.storage.disk_space import check_disk_space
from snapseek.library.storage.exclusive_writer import remove_stray_files
from snapseek.library.storage.library_meta import fresh_version, queries_of
from snapseek.library.storage.shard import Advance, Queries, ShardDraft
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.shard_view import ShardView
from snapseek.library.storage.shards import Shards
from snapseek.models import Encoder
from snapseek.vectors import index as core

SMALL_ROWS = 10_000
"""So few rows are written anew in a fraction of a second: they are always one shard."""

Choice = Callable[[Sequence[ShardView]], list[ShardView]]
"""Which of a source's shards to merge next; none when all is well."""

_GROWTH = 0.5
_MOST_DEAD = 0.25


@dataclass(frozen=True)
class CompactReport:
    """How many shards there were and are, and how many removed rows are gone for good."""

    before: int = 0
    after: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class CompactOptions:
    """How shards are merged: as `VectorIndex.build` has it; `encoder` is asked for what is searched for."""

    encoder: Callable[[], Encoder] | None = None
    queries: Queries | None = None
    memory: str | int | None = None
    threads: int | None = None
    progress: Advance | None = None


def compact(
    catalogue: Database, directory: Path, how: CompactOptions, choose: Choice | None = None
) -> CompactReport:
    """Merge what `choose` chooses until it chooses nothing; one commit for each new shard.

    By default what is `worthwhile`. `catalogue` is held by a writer. Needs no picture, only what is in the
    library. Raises StorageError when the disk refuses or has not room enough.
    """
    before = len(catalogue.shards())
    dropped = 0
    while (job := _next_job(catalogue, directory, choose or compact_if_due)) is not None:
        source, parts = job
        dropped += sum(len(part.shard) - len(part) for part in parts)
        _merge(catalogue, directory, source, parts, how)
    after = len(catalogue.shards())
    return CompactReport(before, after, dropped)


def _next_job(
    catalogue: Database, directory: Path, choose: Choice
) -> tuple[Path | None, list[ShardView]] | None:
    rows = catalogue.shards()
    shards = Shards(directory, rows, catalogue.tombstones())
    pairs = zip(rows, shards.parts, strict=True)
    for source, group in groupby(pairs, key=lambda pair: pair[0].source):
        job = choose([part for _, part in group])
        if job:
            return source, job
    return None


def compact_all(parts: Sequence[ShardView]) -> list[ShardView]:
    """All shards of a source, unless they are one without removed rows."""
    return list(parts) if len(parts) > 1 or any(part.alive is not None for part in parts) else []


def compact_if_due(parts: Sequence[ShardView]) -> list[ShardView]:
    """Which shards of a source to merge next; none when all is well.

    The flat ones when they fill lists of their own, or are small; otherwise a shard with all smaller ones
    when these hold half as many rows as it: so shards are few, and a row is written anew few times.
    """
    flat = [part for part in parts if part.is_flat]
    flat_rows = sum(map(len, flat))
    if flat_rows >= core.FLAT_ROWS or (flat_rows < SMALL_ROWS and compact_all(flat)):
        return flat
    return (
        _grown(parts)
        or [part for part in parts if len(part.shard) - len(part) > _MOST_DEAD * len(part.shard)][:1]
    )


def compact_flat_only(parts: Sequence[ShardView]) -> list[ShardView]:
    """Which shards to merge in the middle of an index: flat ones as they grow; nothing is trained yet."""
    return _grown([part for part in parts if part.is_flat], core.FLAT_ROWS)


def _grown(parts: Sequence[ShardView], most_rows: float = math.inf) -> list[ShardView]:
    """A shard with all smaller ones that hold half as many rows; fewer than `most_rows` together."""
    by_size = sorted(parts, key=len, reverse=True)
    for place, part in enumerate(by_size[:-1]):
        smaller = sum(map(len, by_size[place + 1 :]))
        if smaller >= _GROWTH * len(part) and smaller + len(part) < most_rows:
            return by_size[place:]
    return []


def _merge(
    catalogue: Database, directory: Path, source: Path | None, parts: Sequence[ShardView], how: CompactOptions
) -> None:
    rows = sum(map(len, parts))
    old = [part.shard.stem for part in parts]
    dim = parts[0].shard.index.dim
    record_bytes = sum(part.shard.records.size_bytes for part in parts) // max(
        1, sum(len(p.shard) for p in parts)
    )
    check_disk_space(directory, rows, dim, record_bytes)
    with ShardDraft(ShardFiles(catalogue, directory), dim, schema_of(parts)) as draft:
        for part in parts:
            for vectors, records in living_rows(part, draft.schema):
                draft.extend(vectors, records)
        if draft.rows:
            asked = how.queries
            if asked is None and how.encoder is not None and rows >= core.FLAT_ROWS:
                asked = queries_of(how.encoder(), rows, None)
            draft.finish(asked, memory=how.memory, threads=how.threads, progress=how.progress)
        with catalogue.transaction():
            catalogue.drop_shards(old)
            if draft.rows:
                catalogue.add_shard(draft.row(source))
            catalogue.set_settings(fresh_version())
    remove_stray_files(catalogue, directory)


def compact_if_space(
    catalogue: Database, directory: Path, how: CompactOptions, choose: Choice | None = None
) -> str | None:
    """Merge what is worth it; a full disk is no error then, but the reason why it was left."""
    try:
        compact(catalogue, directory, how, choose)
    except (StorageError, sqlite3.OperationalError) as error:
        return str(error)
    return None
