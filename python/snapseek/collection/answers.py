"""The answers of partitions, checked: nothing that a partition says is trusted.

Each function raises PartitionError for an answer that does not fit the request, or what the partition has
said of itself.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from snapseek.collection.frames import Array, Frame
from snapseek.collection.manifest import MAX_COUNT, MAX_LOCAL_ID, PartitionEntry
from snapseek.collection.record_block import RecordBlock, Recorded
from snapseek.errors import PartitionError
from snapseek.library.filters.typecheck import Kind
from snapseek.library.search.bm25 import WordStatistics

Ids = NDArray[np.int64]
Scores = NDArray[np.float32]

_MAX_SCORE = 1.1
"""Cosines of stored vectors exceed 1 by rounding only."""

_MAX_COLUMNS = 4096
_MAX_TEXT = 1 << 16
_MAX_NAME = 1000
_KINDS = ("number", "date", "flag", "text", "list")
_VERSION = re.compile(r"[\w.-]{1,64}")
_NO_KEYS = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Facts:
    """What a partition says of itself."""

    version: str
    name: str
    model: str
    fingerprint: str
    dim: int
    count: int
    failed: int
    skipped: Mapping[str, int]
    kernel: str
    created: str
    size_bytes: int
    has_remote: bool
    next_id: int
    commit: str
    kinds: Mapping[str, Kind]
    training: str = ""
    trained_rows: int = 0


@dataclass(frozen=True)
class Ranked:
    """The best pictures of a partition, and its numbers of selected and of excluded ones among them."""

    ids: Ids
    scores: Scores
    keys: Ids
    count: int
    excluded: int
    statistics: WordStatistics | None


@dataclass(frozen=True)
class Matched:
    """Pictures with words of the query, their scores, fields and cosines, (n,) each."""

    ids: Ids
    scores: Scores
    bits: NDArray[np.uint8]
    cosines: Scores
    keys: Ids


def facts_of(frame: Frame) -> Facts:
    """Return the facts of a partition."""
    read = Fields(frame.fields)
    kinds = frame.fields.get("kinds")
    if not isinstance(kinds, dict) or len(kinds) > _MAX_COLUMNS:
        raise PartitionError("no list of its columns")
    if not all(len(name) <= _MAX_NAME and kind in _KINDS for name, kind in kinds.items()):
        raise PartitionError("columns of an unknown kind")
    return Facts(
        version=version_of(frame),
        name=read.text("name"),
        model=read.text("model"),
        fingerprint=read.text("fingerprint"),
        dim=read.integer("dim", 1 << 16),
        count=read.integer("count", MAX_COUNT),
        failed=read.integer("failed", MAX_COUNT),
        skipped=read.counts("skipped"),
        kernel=read.text("kernel"),
        created=read.text("created"),
        size_bytes=read.integer("size_bytes", 1 << 60),
        has_remote=frame.fields.get("has_remote") is True,
        next_id=read.integer("next_id", MAX_LOCAL_ID + 1),
        commit=read.text("commit"),
        kinds=cast("Mapping[str, Kind]", kinds),
        training=read.text("training") if frame.fields.get("training") else "",
        trained_rows=read.integer("trained_rows", MAX_COUNT) if frame.fields.get("training") else 0,
    )


def check_facts(facts: Facts, entry: PartitionEntry, fingerprint: str, dim: int) -> None:
    """Raise PartitionError for facts that do not fit the manifest."""
    if facts.fingerprint != fingerprint or facts.dim != dim:
        raise PartitionError(
            f"it has another model: expected {fingerprint[:12]}, got {facts.fingerprint[:12]}"
        )
    if facts.next_id < entry.next_id:
        raise PartitionError(
            f"it is older than the manifest: expected next_id of at least {entry.next_id}, "
            f"got {facts.next_id}"
        )
    if facts.commit == entry.commit and facts.count != entry.count:
        raise PartitionError(
            f"it miscounts its pictures: expected {entry.count} of that commit, got {facts.count}"
        )
    if facts.count >= max(1, facts.next_id):
        raise PartitionError(
            f"it miscounts its pictures: expected fewer than its next_id {facts.next_id}, got {facts.count}"
        )


def version_of(frame: Frame) -> str:
    """Return the version of the state that has answered."""
    value = frame.fields.get("version")
    if not isinstance(value, str) or not _VERSION.fullmatch(value):
        raise PartitionError("an answer without a version")
    return value


def ranked_of(frame: Frame, k: int, words: int | None, count: int | None) -> Ranked:
    """Return the answer to `rank` with that `k` and number of words; `count` is that of all pictures."""
    read = Fields(frame.fields)
    ids = ids_in(frame, k)
    found = Ranked(
        ids,
        scores_in(frame, "scores", len(ids)),
        keys_in(frame, len(ids)),
        read.integer("count", MAX_COUNT),
        read.integer("excluded", MAX_COUNT),
        None if words is None else _statistics(frame.fields.get("statistics"), words),
    )
    if found.count < max(len(ids), found.excluded) or (count is not None and found.count > count):
        raise PartitionError(f"it miscounts its pictures: {found.count} selected, {len(ids)} found")
    return found


def matched_of(frame: Frame, k: int, has_cosines: bool) -> Matched:
    """Return the answer to `words` with that `k`."""
    ids = ids_in(frame, k)
    scores = _array(frame, "scores", np.float32, len(ids))
    bits = _array(frame, "bits", np.uint8, len(ids))
    if not np.isfinite(scores).all() or (len(scores) and scores.min() < 0):
        raise PartitionError("scores of words that are no numbers")
    cosines = scores_in(frame, "cosines", len(ids)) if has_cosines else np.zeros(0, np.float32)
    return Matched(ids, scores, bits, cosines, keys_in(frame, len(ids)))


def listed_of(frame: Frame, k: int, is_sorted: bool, count: int | None) -> tuple[int, Ids, Ids]:
    """Return count, ids and sort keys of the answer to `listed`."""
    total = Fields(frame.fields).integer("count", MAX_COUNT)
    ids = ids_in(frame, k)
    if total < len(ids) or (count is not None and total > count):
        raise PartitionError(f"it miscounts its pictures: {total} selected, {len(ids)} found")
    keys = _array(frame, "keys", np.int64, len(ids)) if is_sorted else _NO_KEYS
    return total, ids, keys


def counted_of(frame: Frame, name: str) -> int:
    """Return a number of pictures."""
    return Fields(frame.fields).integer(name, MAX_COUNT)


def vectors_of(frame: Frame, wanted: Ids, dim: int) -> dict[int, NDArray[np.float32]]:
    """Return the stored vectors of the pictures that the partition knows."""
    ids = ids_in(frame, len(wanted))
    vectors = frame.arrays.get("vectors")
    if vectors is None or vectors.dtype != np.float32 or vectors.shape != (len(ids), dim):
        raise PartitionError("vectors of another shape")
    if not np.isfinite(vectors).all() or not _are_among(ids, wanted):
        raise PartitionError("vectors that were not requested")
    return dict(zip(ids.tolist(), vectors, strict=True))


def sample_of(frame: Frame, dim: int) -> NDArray[np.float32]:
    """Return the vectors of a sample."""
    vectors = frame.arrays.get("vectors")
    if vectors is None or vectors.dtype != np.float32 or vectors.ndim != 2 or vectors.shape[1] != dim:
        raise PartitionError("vectors of another shape")
    if not np.isfinite(vectors).all():
        raise PartitionError("vectors that are no numbers")
    return vectors


def records_of(frame: Frame, wanted: Ids) -> dict[int, Recorded]:
    """Return the records of the pictures that the partition knows."""
    ids = ids_in(frame, len(wanted))
    if not _are_among(ids, wanted):
        raise PartitionError("other records than those that were requested")
    return RecordBlock(ids.tolist(), frame.arrays).all()


def early_records_of(frame: Frame) -> RecordBlock:
    """Return the records that came with the answer to `rank`: those of its first pictures."""
    return RecordBlock(frame.arrays["ids"][: len(frame.arrays["ends"])].tolist(), frame.arrays)


def _are_among(ids: Ids, wanted: Ids) -> bool:
    return set(ids.tolist()) <= set(wanted.tolist())


def ids_in(frame: Frame, k: int) -> Ids:
    """Return the ids of an answer, distinct and at most `k`."""
    ids = frame.arrays.get("ids")
    if ids is None or ids.dtype != np.int64 or ids.ndim != 1 or len(ids) > k:
        raise PartitionError(f"more than {k} ids, or none")
    different = set(ids.tolist())  # of few numbers, which NumPy would take longer for
    if different and (min(different) < 0 or max(different) > MAX_LOCAL_ID or len(different) < len(ids)):
        raise PartitionError("ids that repeat or are too large")
    return ids


def scores_in(frame: Frame, name: str, count: int) -> Scores:
    """Return the cosines of an answer, (count,)."""
    scores = _array(frame, name, np.float32, count)
    listed: list[float] = scores.tolist()
    is_number = math.isfinite(sum(listed))
    if count and not (is_number and min(listed) >= -_MAX_SCORE and max(listed) <= _MAX_SCORE):
        raise PartitionError("scores that are no cosines")
    return scores


def keys_in(frame: Frame, count: int) -> Ids:
    """Return the sort keys of an answer, (count,); none if it has none."""
    return _array(frame, "keys", np.int64, count) if "keys" in frame.arrays else _NO_KEYS


def _array(frame: Frame, name: str, dtype: type, count: int) -> Array:
    array = frame.arrays.get(name)
    if array is None or array.dtype != dtype or array.shape != (count,):
        raise PartitionError(f"{name} of another shape")
    return array


def _statistics(value: object, words: int) -> WordStatistics:
    if isinstance(value, list) and len(value) == 3:
        rows, length, counts = value
        if is_count(rows, MAX_COUNT) and isinstance(counts, list) and len(counts) in (0, words):
            is_length = isinstance(length, int | float) and 0 <= length < 2**60
            if is_length and all(is_count(count, rows) for count in counts):
                return WordStatistics(rows, float(length), tuple(counts) or (0,) * words)
    raise PartitionError("statistics of words of another shape")


def is_count(value: object, maximum: int) -> TypeGuard[int]:
    """Return whether a value is an integer from 0 to `maximum`."""
    return type(value) is int and 0 <= value <= maximum


class Fields:
    """The fields of an answer, each checked when it is read."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def text(self, name: str, *, may_be_empty: bool = False) -> str:
        """Return a text."""
        value = self._fields.get(name)
        if not isinstance(value, str) or len(value) > _MAX_TEXT or not (value or may_be_empty):
            raise PartitionError(f"no {name}")
        return value

    def integer(self, name: str, maximum: int) -> int:
        """Return an integer from 0 to `maximum`."""
        value = self._fields.get(name)
        if not is_count(value, maximum):
            raise PartitionError(f"{name} that is no integer from 0 to {maximum}")
        return value

    def counts(self, name: str) -> dict[str, int]:
        """Return the numbers of pictures by name."""
        value = self._fields.get(name)
        if not isinstance(value, dict) or not all(is_count(count, MAX_COUNT) for count in value.values()):
            raise PartitionError(f"{name} that are no counts")
        return value
