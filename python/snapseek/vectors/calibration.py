"""Effort: the recall that a search has to reach, by operating points that were measured at build."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from snapseek._core import FlatIndex, IvfIndex
from snapseek.errors import OutOfRangeError, UnknownChoiceError, similar_name

DEFAULT = 0.95

QueryKind = Literal["samples", "rows"]
"""What a query is like: the sample queries of the build (texts), or the rows (pictures)."""

_TOLERANCE = 1e-6
"""Recalls are stored as float32."""

_NAMES = {"low": 0.90, "medium": 0.95, "high": 0.98, "max": 0.995}
_MAX_PLANS = 256
_MAX_K = 10**6
"""More hits need no more lists: the shortlist is at least as long as the hits are many."""

_KINDS: tuple[QueryKind, ...] = ("samples", "rows")


class EffortWarning(UserWarning):
    """An effort is beyond the best recall that the calibration of an index reached."""


@dataclass(frozen=True)
class CalibrationPoint:
    """A measured operating point: probed lists, reranked rows, and the recall of the true best.

    `recall` is the lower 99 % confidence bound of its mean over queries that were held out at build.
    """

    recall: float
    nprobe: int
    shortlist: int


@dataclass(frozen=True)
class Calibration:
    """The measured points for one kind of query and one number of hits, by ascending recall.

    Attributes
    ----------
    like
        The kind of query: like the sample queries ("samples"), or like the rows ("rows").
    k
        Number of hits, and of true neighbours that the recall counts.
    source
        What the queries were: "samples" that were passed, made of "rows", or "unknown".
    queries
        Their number.
    points
        The points.
    """

    like: QueryKind
    k: int
    source: Literal["samples", "rows", "unknown"]
    queries: int
    points: tuple[CalibrationPoint, ...]


Effort = float | str | CalibrationPoint | None


@dataclass(frozen=True)
class SearchPlan:
    """The operating points of queries like samples and of queries like rows."""

    samples: CalibrationPoint
    rows: CalibrationPoint
    reached: float | None = None
    """The best recall of the calibration, if the effort is beyond it."""

    def of(self, like: QueryKind) -> CalibrationPoint:
        """Return the operating point of a kind of query. Raises UnknownChoiceError if there is no such."""
        if like not in _KINDS:
            raise UnknownChoiceError(expected=f"like to be one of {', '.join(_KINDS)}", got=repr(like))
        return self.samples if like == "samples" else self.rows


class Calibrations:
    """The calibration tables of an index, and the plans made of them. Safe to use from many threads."""

    def __init__(self, tables: Sequence[Calibration]) -> None:
        self.tables = tuple(tables)
        self._plans: dict[tuple[Effort, int], SearchPlan] = {}

    @classmethod
    def of_core(cls, core: FlatIndex | IvfIndex) -> "Calibrations":
        """Return the tables of an index; none of a flat one."""
        tables = [] if isinstance(core, FlatIndex) else core.calibrations
        return cls(
            [
                Calibration(like, k, source, queries, tuple(CalibrationPoint(*point) for point in points))
                for like, k, source, queries, points in tables
            ]
        )

    def plan(self, effort: Effort, k: int) -> SearchPlan:
        """Return the operating points for an effort and a number of hits.

        Warns with EffortWarning if a given effort is beyond the last measured point.

        Raises
        ------
        UnknownChoiceError, OutOfRangeError
            If `effort` is no effort.
        """
        if isinstance(effort, CalibrationPoint):
            return SearchPlan(effort, effort)
        try:
            plan = self._plans.get((effort, k))
        except TypeError as error:
            raise _unknown(effort) from error
        if plan is None:
            plan = self._new_plan(effort, k)
            if len(self._plans) < _MAX_PLANS:
                self._plans[effort, k] = plan
        if plan.reached is not None:
            _warn_beyond(_recall_of(effort), plan.reached)
        return plan

    def _new_plan(self, effort: float | str | None, k: int) -> SearchPlan:
        wanted = _recall_of(effort)
        points, used = [], list[Calibration]()
        for kind in _KINDS:
            # An index of an earlier version has one table.
            tables = [table for table in self.tables if table.like == kind] or list(self.tables)
            tables = tables[: 1 + (k > tables[0].k)]
            used += tables
            points.append(_between(tables, wanted, k))
        reached = min((table.points[-1].recall for table in used if table.points), default=1.0)
        is_beyond = effort is not None and wanted > reached + _TOLERANCE
        return SearchPlan(points[0], points[1], reached if is_beyond else None)


def _between(tables: Sequence[Calibration], wanted: float, k: int) -> CalibrationPoint:
    """Return the operating point for `k` hits, by the tables for fewer and for more.

    Lists and shortlist grow with a power of `k`, also beyond the larger number.
    """
    points = [_interpolated(table.points, wanted) for table in tables]
    fewer, more = points[0], points[-1]
    if len(points) < 2:
        return fewer
    share = math.log(min(k, _MAX_K) / tables[0].k) / math.log(tables[1].k / tables[0].k)

    def grown(lower: int, upper: int) -> int:
        return math.ceil(lower * math.pow(upper / lower, share))

    nprobe, shortlist = grown(fewer.nprobe, more.nprobe), grown(fewer.shortlist, more.shortlist)
    return CalibrationPoint(wanted, nprobe, shortlist)


def resolve_effort(calibration: Sequence[CalibrationPoint], effort: Effort) -> CalibrationPoint:
    """Return the operating point for an effort: interpolated between measured ones, at most the last.

    Warns with EffortWarning if a given effort is beyond the last.

    Parameters
    ----------
    calibration
        The measured points, by ascending recall.
    effort
        A recall, one of the names "low", "medium", "high" and "max", a point to use as it is, or None for
        0.95.

    Raises
    ------
    UnknownChoiceError, OutOfRangeError
        If `effort` is none of these.
    """
    if isinstance(effort, CalibrationPoint):
        return effort
    wanted = _recall_of(effort)
    if effort is not None and calibration and wanted > calibration[-1].recall + _TOLERANCE:
        _warn_beyond(wanted, calibration[-1].recall)
    return _interpolated(calibration, wanted)


def _interpolated(calibration: Sequence[CalibrationPoint], wanted: float) -> CalibrationPoint:
    recalls = [point.recall for point in calibration]
    nprobe, shortlist = (
        float(np.interp(wanted, recalls, [getattr(point, name) for point in calibration]))
        for name in ("nprobe", "shortlist")
    )
    return CalibrationPoint(wanted, int(np.ceil(nprobe)), int(np.ceil(shortlist)))


def _warn_beyond(wanted: float, reached: float) -> None:
    warnings.warn(
        f"effort {wanted:g} is beyond the calibration of this index, which reaches {reached:.3f}: "
        "its most thorough search is used; exact=True scores every row",
        EffortWarning,
        stacklevel=4,
    )


def _recall_of(effort: float | str | None) -> float:
    """Return the recall that an effort requests."""
    if isinstance(effort, str):
        if effort not in _NAMES:
            raise _unknown(effort)
        return _NAMES[effort]
    try:
        wanted = DEFAULT if effort is None else float(effort)
    except (TypeError, ValueError) as error:
        raise _unknown(effort) from error
    if not 0 < wanted <= 1:
        raise OutOfRangeError(expected="effort as a recall above 0, up to 1", got=str(wanted))
    return wanted


def _unknown(effort: object) -> UnknownChoiceError:
    near = similar_name(effort, _NAMES) if isinstance(effort, str) else None
    return UnknownChoiceError(
        expected=f"effort as a recall or one of {', '.join(_NAMES)}",
        got=repr(effort),
        hint=f"did you mean {near}?" if near else None,
    )
