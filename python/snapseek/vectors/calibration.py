"""Effort: the recall that a search has to reach, by operating points that were measured at build."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snapseek.errors import OutOfRangeError, UnknownChoiceError, similar_name

DEFAULT = 0.95

_TOLERANCE = 1e-6
"""Recalls are stored as float32."""

_NAMES = {"low": 0.90, "medium": 0.95, "high": 0.98, "max": 0.995}


class EffortWarning(UserWarning):
    """An effort is beyond the best recall that the calibration of an index reached."""


@dataclass(frozen=True)
class CalibrationPoint:
    """A measured operating point: probed lists, reranked rows, and the recall of the true ten best.

    `recall` is the lower 99 % confidence bound of its mean over queries that were held out at build.
    """

    recall: float
    nprobe: int
    shortlist: int


def resolve_effort(
    calibration: Sequence[CalibrationPoint], effort: float | str | CalibrationPoint | None
) -> CalibrationPoint:
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
    if effort is not None and recalls and wanted > recalls[-1] + _TOLERANCE:
        warnings.warn(
            f"effort {wanted:g} is beyond the calibration of this index, which reaches {recalls[-1]:.3f}: "
            "its most thorough search is used; exact=True scores every row",
            EffortWarning,
            stacklevel=3,
        )
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
