"""How many pictures have no preview, as after an import of vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute
from numpy.typing import NDArray

from snapseek.library.storage.preview_queue import PreviewQueue
from snapseek.library.storage.shard_view import ShardView

_compute: Any = pyarrow.compute


@dataclass(frozen=True)
class MissingPreviews:
    """The numbers of pictures without a preview: those to be made, and those that failed before."""

    waiting: int
    failed: int


def ids_without_preview(parts: Sequence[ShardView]) -> NDArray[np.int64]:
    """Return the ids of the pictures of these shards without a preview, (n,)."""
    return np.concatenate([np.zeros(0, np.int64), *map(_of_shard, parts)])


def missing_previews(directory: Path, missing: NDArray[np.int64]) -> MissingPreviews:
    """Count pictures without a preview, (n,) ids, by whether their previews failed before."""
    if not len(missing) or not PreviewQueue.exists(directory):
        return MissingPreviews(len(missing), 0)
    with PreviewQueue(directory, read_only=True) as queue:
        failed = np.array(list(queue.failures()), np.int64)
    count = int(np.isin(missing, failed).sum())
    return MissingPreviews(len(missing) - count, count)


def _of_shard(part: ShardView) -> NDArray[np.int64]:
    """Return the ids of the living pictures of a shard without a preview, (n,)."""
    sizes = [_compute.binary_length(array).to_numpy() for array in part.shard.records.column("preview")]
    is_missing = np.concatenate(sizes) == 0
    wanted = is_missing if part.alive is None else is_missing & part.alive
    return np.asarray(part.shard.ids[wanted], np.int64)
