"""Whether two pictures are the same one: the vectors propose pairs, the pixels of the previews decide.

Pictures of one subject, such as two castles, may have nearly the same vector, and a grey copy a rather
different one. So the cosine is only a first sieve, whose bars depend on the model: they are quantiles of the
cosines of its background, which are pictures of different things. The previews must correlate, be it moved by
a crop; the aspects must be alike; and the times in the files tell frames of one burst from views of different
days. docs/decisions/duplicates.md has the figures.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple, Self

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray
from PIL import Image

from snapseek.library.storage.rows import RowRef
from snapseek.library.storage.shards import Shards

MAX_ASPECT_CHANGE = 1.25
"""The ratio of two aspects, width by height: a crop changes them, another format more."""

UNSEEN_COSINE = 0.96
"""The cosine of near-duplicates where the previews cannot be compared."""

_NEAR_QUANTILE, _CLOSE_QUANTILE = 0.99, 0.999
_NEAR_CORRELATION, _CLOSE_CORRELATION = 0.93, 0.86
_BURST_S, _BURST_BONUS = 2.0, 0.08
_OTHER_DAY_S, _OTHER_DAY_CORRELATION = 86_400.0, 0.95
_SIDE_PX = 24
_MAX_SHIFT_PX = 1
_MIN_UNMOVED = 0.72
"""The correlation without a shift, below which no crop brings a pair to the bar."""

_MAX_LOOKS = 2048
"""Looks that are kept, of some kilobytes each."""

_COMPARED = ("width", "height", "preview", "taken", "taken_from")

_SHIFTS = tuple(
    (down, right)
    for down in range(-_MAX_SHIFT_PX, _MAX_SHIFT_PX + 1)
    for right in range(-_MAX_SHIFT_PX, _MAX_SHIFT_PX + 1)
)


@dataclass(frozen=True)
class CosineBars:
    """The cosines from which two pictures of a model may be the same one.

    Attributes
    ----------
    near
        Only one in 100 pairs of different things exceeds it; the previews must be alike in detail.
    close
        Only one in 1,000 exceeds it.
    """

    near: float = UNSEEN_COSINE
    close: float = UNSEEN_COSINE

    @classmethod
    def of(cls, background: NDArray[np.float32]) -> Self:
        """Measure the background of a model, (n, dim) unit rows."""
        cosines = (background @ background.T)[np.triu_indices(len(background), 1)]
        near, close = np.quantile(cosines, (_NEAR_QUANTILE, _CLOSE_QUANTILE)).tolist()
        return cls(min(near, UNSEEN_COSINE), min(close, UNSEEN_COSINE))


class PictureFacts(NamedTuple):
    """What is compared of a picture: preview, size, and the time in its file; empty, 0, None if unknown."""

    preview: bytes
    width: int
    height: int
    taken: datetime | None = None


class Look:
    """What two pictures are compared by. A preview is decoded when it is needed, once."""

    def __init__(self, facts: PictureFacts) -> None:
        self.aspect = facts.width / facts.height if facts.width > 0 and facts.height > 0 else None
        self.taken = facts.taken
        self._preview = facts.preview

    @cached_property
    def fields(self) -> NDArray[np.float32] | None:
        """The brightness of the preview in 24 x 24 fields; None without a pattern."""
        return _fields(self._preview)


def facts_of(
    width: int | None, height: int | None, preview: bytes | None, meta: Mapping[str, Any]
) -> PictureFacts:
    """Return what is compared of a picture by its record. Only a time from the camera counts."""
    is_of_camera = not meta.get("taken_from") or meta["taken_from"] == "exif"
    taken = _moment(meta.get("taken")) if is_of_camera else None
    return PictureFacts(preview or b"", width or 0, height or 0, taken)


def _moment(value: object) -> datetime | None:
    """Return the time in a record, which is text there; None for anything else."""
    if isinstance(value, str):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None


class Looks:
    """The looks of pictures of shards: read together, and the last ones kept. Safe for many threads."""

    def __init__(self, shards: Shards, max_looks: int = _MAX_LOOKS) -> None:
        self._shards = shards
        self._known: LRUCache[RowRef, Look] = LRUCache(max_looks)
        self._lock = Lock()

    def of(self, rows: Sequence[RowRef]) -> list[Look]:
        """Return what pictures are compared by."""
        with self._lock:
            found = {row: look for row in rows if (look := self._known.get(row)) is not None}
        missing = [row for row in rows if row not in found]
        if missing:
            read = dict(zip(missing, self._read(missing), strict=True))
            found |= read
            with self._lock:
                self._known.update(read)
        return [found[row] for row in rows]

    def _read(self, rows: Sequence[RowRef]) -> list[Look]:
        read: dict[RowRef, Look] = {}
        for number in {row.shard for row in rows}:
            here = [row for row in rows if row.shard == number]
            gather = self._shards.parts[number].shard.records.gather
            columns = gather.columns([row.row for row in here], _COMPARED)
            for row, *values in zip(here, *columns.values(), strict=True):
                known = dict(zip(columns, values, strict=True))
                read[row] = Look(facts_of(known["width"], known["height"], known["preview"], known))
        return [read[row] for row in rows]


class PreviewComparison:
    """Compares pictures by their previews, sizes and times; each preview is decoded once.

    Parameters
    ----------
    looks
        Returns the looks of some pictures, by their numbers.
    bars
        The cosines of the model.
    """

    def __init__(self, looks: Callable[[Sequence[int]], Sequence[Look]], bars: CosineBars) -> None:
        self._looks = looks
        self._bars = bars

    def alike(self, first: int, others: Sequence[int], cosines: Sequence[float]) -> list[int]:
        """Return those of some numbers whose pictures are near-duplicates of the first."""
        look, *other_looks = self._looks([first, *others])
        pairs = [
            (other, cosine, other_look)
            for other, cosine, other_look in zip(others, cosines, other_looks, strict=True)
            if _has_same_aspect(look.aspect, other_look.aspect)
        ]
        if not pairs:
            return []
        unmoved = _correlations(look.fields, [other.fields for _, _, other in pairs])
        return [
            number
            for (number, cosine, other), correlation in zip(pairs, unmoved, strict=True)
            if self._is_same(look, other, cosine, correlation)
        ]

    def _is_same(self, first: Look, second: Look, cosine: float, unmoved: float | None) -> bool:
        if unmoved is None or first.fields is None or second.fields is None:
            return cosine >= UNSEEN_COSINE
        bar = _NEAR_CORRELATION if cosine < self._bars.close else _CLOSE_CORRELATION
        apart_s = _seconds_apart(first.taken, second.taken)
        if apart_s is not None and apart_s <= _BURST_S:
            bar -= _BURST_BONUS
        elif apart_s is not None and apart_s > _OTHER_DAY_S:
            bar = _OTHER_DAY_CORRELATION
        if cosine < self._bars.near or unmoved < _MIN_UNMOVED:
            return False
        return unmoved >= bar or _moved_correlation(first.fields, second.fields) >= bar


def _has_same_aspect(first: float | None, second: float | None) -> bool:
    if not first or not second:
        return True
    return abs(math.log(first / second)) <= math.log(MAX_ASPECT_CHANGE)


def _seconds_apart(first: datetime | None, second: datetime | None) -> float | None:
    if first is None or second is None or (first.tzinfo is None) != (second.tzinfo is None):
        return None
    return abs((first - second).total_seconds())


def _fields(preview: bytes) -> NDArray[np.float32] | None:
    """Return the brightness of a preview, (24, 24) float32 of mean 0; None where it has no pattern."""
    try:
        with Image.open(io.BytesIO(preview), formats=["WEBP"]) as image:
            grey = image.convert("L").resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    values = np.asarray(grey, np.float32)
    values = values - values.mean()
    return values if float(np.linalg.norm(values)) > _SIDE_PX else None  # one plain colour has no pattern


def _correlations(
    first: NDArray[np.float32] | None, others: Sequence[NDArray[np.float32] | None]
) -> list[float | None]:
    """Return the correlation of a preview with each of some others; None where one is unknown."""
    known = [number for number, fields in enumerate(others) if fields is not None]
    found: list[float | None] = [None] * len(others)
    if first is None or not known:
        return found
    rows = np.stack([np.ravel(others[number]) for number in known])  # type: ignore[arg-type]
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for number, value in zip(known, (rows @ (first.ravel() / np.linalg.norm(first))).tolist(), strict=True):
        found[number] = value
    return found


def _moved_correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the largest correlation of two previews over all shifts of up to one field."""
    return max(_overlap(first, second, down, right) for down, right in _SHIFTS)


def _overlap(first: NDArray[np.float32], second: NDArray[np.float32], down: int, right: int) -> float:
    """Return the correlation of the fields that lie over each other when one preview is moved."""
    here = first[max(0, down) : _SIDE_PX + min(0, down), max(0, right) : _SIDE_PX + min(0, right)]
    there = second[max(0, -down) : _SIDE_PX + min(0, -down), max(0, -right) : _SIDE_PX + min(0, -right)]
    here, there = here - here.mean(), there - there.mean()
    length = float(np.linalg.norm(here) * np.linalg.norm(there))
    return float((here * there).sum()) / length if length > 0 else 0.0
