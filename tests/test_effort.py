"""`snapseek.effort`: between measured points, beyond them, and what is no effort."""

import pytest

from snapseek.effort import Effort, setting
from snapseek.errors import OutOfRangeError, UnknownChoiceError


def test_efforts_between_points_are_interpolated() -> None:
    points = [Effort(0.5, 2, 20), Effort(0.9, 10, 60)]
    assert setting(points, 0.7) == Effort(0.7, 6, 40)
    assert setting(points, 0.99).nprobe == 10
    assert setting(points, 0.1).shortlist == 20


def test_what_is_no_effort_is_refused() -> None:
    for effort in (0, 1.1, -0.5, float("nan")):
        with pytest.raises(OutOfRangeError):
            setting([Effort(0.9, 5, 50)], effort)
    for name in ("enormous", [0.9], object()):
        with pytest.raises(UnknownChoiceError):
            setting([Effort(0.9, 5, 50)], name)  # type: ignore[arg-type]
