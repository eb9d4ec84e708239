"""The training that a library shares with other partitions of a collection: lists, transform and codebooks.

Partitions with one training probe the same lists for a query, as if they were parts of one index. So the
operating point that one index of all rows needs is enough for each of them, and the merged list is that of
the one index. A partition that is searched alone uses its own calibration, for its own best.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from snapseek.vectors.calibration import CalibrationPoint, QueryKind
from snapseek.vectors.index import VectorIndex

SETTING = "training"
FIRST_PAGE = 60
"""The number of hits that a search by vector is calibrated for, whatever the page: so pages fit together."""

KINDS: tuple[QueryKind, ...] = ("samples", "rows")
_CHECKSUM = re.compile(r"[0-9a-f]{16}")
_MAX_NUMBER = 2**31


@dataclass(frozen=True)
class SharedTraining:
    """What partitions were trained to together.

    Attributes
    ----------
    checksum
        Of lists, transform and codebooks: `VectorIndex.training`.
    rows
        The rows of all partitions when they were trained.
    points
        The operating point of each kind of query, for the best of all these rows.
    """

    checksum: str
    rows: int
    points: Mapping[QueryKind, CalibrationPoint]

    @classmethod
    def of_index(cls, path: Path, rows: int) -> Self:
        """Read the training of the index at `path`, made on a sample of `rows` rows.

        Raises StorageError or FormatError.
        """
        index = VectorIndex.open(path)
        points = {like: index.search_params(k=FIRST_PAGE, like=like) for like in KINDS}
        return cls(index.training or "", rows, {like: point for like, point in points.items() if point})

    @classmethod
    def of_settings(cls, settings: Mapping[str, str]) -> Self | None:
        """Read it from the settings of a library; None if there is none, or one of another form."""
        try:
            entry = json.loads(settings.get(SETTING, "null"))
            checksum, rows = entry["checksum"], entry["rows"]
            points = {like: CalibrationPoint(0.0, *map(_number, entry["points"][like])) for like in KINDS}
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if not isinstance(checksum, str) or not _CHECKSUM.fullmatch(checksum) or type(rows) is not int:
            return None
        return cls(checksum, rows, points)

    def part_of(
        self, point: CalibrationPoint, share: float, nlist: int, k: int, deepest: int
    ) -> CalibrationPoint:
        """Return the operating point with which a part of one index of all rows is searched.

        A search probes lists until they hold its shortlist. So the shortlist is half the share of the part in
        the rows that the one index sees: for more, it would probe lists that the one index leaves out, or for
        all of the share, where lists have few rows in this part.

        Parameters
        ----------
        point
            That of the one index.
        share
            The share of all rows that the part has.
        nlist
            The number of lists.
        k
            The number of results.
        deepest
            The shortlist of any page. A page that is deeper than the share gets it, in case that all of its
            results are in this part.
        """
        deepest = max(point.shortlist, deepest)
        seen = max(deepest, point.nprobe * self.rows / nlist)
        own = max(point.shortlist, math.ceil(share * seen / 2))
        return replace(point, shortlist=own if k <= own < deepest else deepest)

    def setting(self) -> dict[str, str]:
        """Return the setting of a library that has it."""
        points = {like: [point.nprobe, point.shortlist] for like, point in self.points.items()}
        return {SETTING: json.dumps({"checksum": self.checksum, "rows": self.rows, "points": points})}


@dataclass(frozen=True)
class TrainedIndex:
    """An IVF index, and the training that other indexes take from it."""

    path: Path
    shared: SharedTraining


def _number(value: object) -> int:
    if type(value) is int and 0 < value < _MAX_NUMBER:
        return value
    raise ValueError
