"""Effort: how thorough a search is, measured when its index was built."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snapseek.errors import OutOfRangeError, UnknownChoiceError, similar_name

DEFAULT = 0.95

_NAMES = {"low": 0.90, "medium": 0.95, "high": 0.98, "max": 0.995}


@dataclass(frozen=True)
class CalibrationPoint:
    """A measured setting: the share of the true ten best it found for queries held out at build.

    `recall` is the lower bound of its mean with 99 % confidence, as queries to come are others.
    """

    recall: float
    nprobe: int
    shortlist: int


def resolve_effort(
    calibration: Sequence[CalibrationPoint], effort: float | str | CalibrationPoint | None
) -> CalibrationPoint:
    """Lists and rows for an effort: between two measured points by distance, beyond the last as the last."""
    if isinstance(effort, CalibrationPoint):
        return effort
    if isinstance(effort, str):
        if effort not in _NAMES:
            raise _unknown(effort)
        effort = _NAMES[effort]
    try:
        wanted = DEFAULT if effort is None else float(effort)
    except (TypeError, ValueError) as error:
        raise _unknown(effort) from error
    if not 0 < wanted <= 1:
        raise OutOfRangeError(expected="effort as a recall above 0, up to 1", got=str(wanted))
    recalls = [point.recall for point in calibration]
    nprobe, shortlist = (
        float(np.interp(wanted, recalls, [getattr(point, name) for point in calibration]))
        for name in ("nprobe", "shortlist")
    )
    return CalibrationPoint(wanted, int(np.ceil(nprobe)), int(np.ceil(shortlist)))


def _unknown(effort: object) -> UnknownChoiceError:
    near = similar_name(effort, _NAMES) if isinstance(effort, str) else None
    return UnknownChoiceError(
        expected=f"effort as a recall or one of {', '.join(_NAMES)}",
        got=repr(effort),
        hint=f"did you mean {near}?" if near else None,
    )
