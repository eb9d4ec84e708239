"""One training for all partitions: train lists, transform and codebooks on a sample, and encode with them.

The trained index is an ordinary `.snap` file of the sampled pictures, next to the manifest: partitions that
are added later take their training from it, too. Nothing is trained for few pictures, as in one library.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from snapseek.absolute_path import absolute_path
from snapseek.collection.manifest import PartitionEntry, is_object_store, read_manifest
from snapseek.collection.membership import add_partition
from snapseek.errors import InputError, ModelMismatchError, StorageError
from snapseek.library import Library
from snapseek.library.indexing.compact import CompactOptions, compact
from snapseek.library.paths import find_library
from snapseek.library.storage.shard_files import exclusive_writer
from snapseek.library.storage.shard_view import ShardView
from snapseek.library.storage.shards import Shards
from snapseek.library.storage.shared_training import SharedTraining, TrainedIndex
from snapseek.models import Encoder
from snapseek.models.queries.sample_queries import sample_queries
from snapseek.threads import resolve_threads
from snapseek.vectors.index import FLAT_ROWS, VectorIndex

FILE_NAME = "training.snap"

_ROWS_PER_LIST = 92
_MAX_LISTS = 65_536
_PARTITION_ROWS_PER_LIST = 8
"""The smallest number of rows for each list in the largest partition: a list costs as much as a row."""

_SAMPLE_ROWS_PER_LIST = 32
_MIN_SAMPLE = 200_000
_BLOCK_ROWS = 8192

Block = NDArray[np.float16] | NDArray[np.float32]
Progress = Callable[[str, float], object]


@dataclass(frozen=True)
class Source:
    """The vectors of a partition: their number, and what yields them block by block, (n, dim) each."""

    rows: int
    blocks: Callable[[], Iterable[Block]]


@dataclass(frozen=True)
class TrainReport:
    """What `train_collection` did: the training, the partitions that have it, and those left as they are."""

    checksum: str
    trained: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


def train(
    sources: Sequence[Source],
    path: Path,
    encoder: Encoder,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> TrainedIndex | None:
    """Train an index on evenly spaced pictures of all partitions, and write it to `path`.

    Returns None for fewer than 50,000 pictures: their partitions are flat.

    Raises
    ------
    StorageError
        The disk refuses.
    """
    total = sum(source.rows for source in sources)
    if total < FLAT_ROWS:
        return None
    largest = max(source.rows for source in sources)
    nlist = min(total // _ROWS_PER_LIST, largest // _PARTITION_ROWS_PER_LIST, _MAX_LISTS)
    wanted = min(total, max(_MIN_SAMPLE, _SAMPLE_ROWS_PER_LIST * nlist))
    name = f".{path.stem}.{secrets.token_hex(8)}.tmp"
    draft, trained = path.with_name(f"{name}.npy"), path.with_name(f"{name}.snap")
    try:
        sample = open_memmap(draft, "w+", np.float16, (wanted, encoder.dim))
        start = 0
        for block in _sampled(sources, total, wanted):
            sample[start : start + len(block)] = block
            start += len(block)
        queries, threads = sample_queries(encoder), resolve_threads(threads)
        VectorIndex.build(sample, queries, nlist=nlist, threads=threads, progress=progress, path=trained)
        # Encoded once more with its own lists, as partitions will be: so the calibration is theirs.
        VectorIndex.build(sample, queries, path=path, threads=threads, progress=progress, training=trained)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)
        trained.unlink(missing_ok=True)
    return TrainedIndex(path, SharedTraining.of_index(path, total))


def _sampled(sources: Sequence[Source], total: int, wanted: int) -> Iterator[Block]:
    """Yield `wanted` of `total` rows, evenly spaced, as unit vectors."""
    start = 0
    for source in sources:
        for block in source.blocks():
            numbers = np.arange(start, start + len(block)) * wanted
            start += len(block)
            rows = block[numbers % total < wanted].astype(np.float32)
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            yield np.nan_to_num(rows / np.maximum(lengths, np.float32(1e-12))).astype(np.float32)


def train_collection(
    path: Path, *, threads: int | None = None, progress: Progress | None = None
) -> TrainReport:
    """Encode all partitions of this machine with one training; make it if there is none next to the manifest.

    Ids, records and previews stay. A partition with few pictures stays flat, and one that is served or in an
    object store stays as it is.

    Raises
    ------
    InputError
        There are too few pictures to train an index.
    ModelMismatchError
        The training next to the manifest is of vectors of another dimension.
    StorageError
        The disk refuses.
    LibraryBusyError
        Another process writes.
    """
    path = absolute_path(path)
    manifest = read_manifest(path)
    here = [entry for entry in manifest.partitions if not _is_elsewhere(entry)]
    libraries = {entry: Library.open(find_library(path.parent / entry.locations[0])) for entry in here}
    if not libraries:
        raise InputError(expected="a partition on this machine", got="none")
    first = next(iter(libraries.values()))
    encoder = first.encoders.full(first.snapshot())
    trained = _existing(
        path.parent / FILE_NAME, manifest.dim, sum(entry.count for entry in manifest.partitions)
    )
    if trained is None:
        sources = [_source_of(library.snapshot().shards) for library in libraries.values()]
        trained = train(sources, path.parent / FILE_NAME, encoder, threads=threads, progress=progress)
    if trained is None:
        raise InputError(
            expected=f"at least {FLAT_ROWS} pictures on this machine",
            got=str(sum(map(len, libraries.values()))),
            hint="smaller partitions score every picture, and need no training",
        )
    options = CompactOptions(
        encoder=lambda: encoder, threads=resolve_threads(threads), progress=progress, training=trained
    )
    done, left = (
        [],
        [(entry.name, "it is on another machine") for entry in manifest.partitions if _is_elsewhere(entry)],
    )
    policy = _without(trained)
    for entry, library in libraries.items():
        directory = library.snapshot().path
        with exclusive_writer(directory) as database:
            compact(database, directory, options, policy)
        library.refresh()
        if any(part.shard.training == trained.shared.checksum for part in library.snapshot().shards.parts):
            done.append(entry.name)
            add_partition(path, [str(path.parent / entry.locations[0])])  # which renews its entry
        else:
            left.append((entry.name, "it has few pictures, and scores every one"))
    return TrainReport(trained.shared.checksum, tuple(done), tuple(left))


def _is_elsewhere(entry: PartitionEntry) -> bool:
    return entry.is_served or is_object_store(entry.locations[0])


def _existing(path: Path, dim: int, rows: int) -> TrainedIndex | None:
    """Return the training at `path`; None if there is no file. Raises ModelMismatchError."""
    if not path.exists():
        return None
    trained = TrainedIndex(path, SharedTraining.of_index(path, rows))
    got = VectorIndex.open(path).dim
    if got != dim:
        raise ModelMismatchError(
            expected=f"a training of {dim} dimensions at {path}",
            got=f"{got} dimensions",
            hint="remove the file: it is of another model",
        )
    return trained


def _source_of(shards: Shards) -> Source:
    def blocks() -> Iterator[Block]:
        for start in range(0, len(shards), _BLOCK_ROWS):
            yield shards.vectors(np.arange(start, min(start + _BLOCK_ROWS, len(shards))))

    return Source(len(shards), blocks)


def _without(trained: TrainedIndex) -> Callable[[Sequence[ShardView]], list[ShardView]]:
    """Return a policy that merges the shards of a source, unless their index has the training."""
    rows_needed = 4 * VectorIndex.open(trained.path).info().nlist

    def policy(parts: Sequence[ShardView]) -> list[ShardView]:
        is_due = any(part.shard.training != trained.shared.checksum for part in parts)
        return list(parts) if is_due and sum(map(len, parts)) >= rows_needed else []

    return policy
