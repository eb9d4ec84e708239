"""`snapseek.vectors.calibration`: between measured points, beyond them, and what is no effort."""

import pytest

from snapseek.errors import OutOfRangeError, UnknownChoiceError
from snapseek.vectors.calibration import CalibrationPoint, resolve_effort


def test_efforts_between_points_are_interpolated() -> None:
    points = [CalibrationPoint(0.5, 2, 20), CalibrationPoint(0.9, 10, 60)]
    assert resolve_effort(points, 0.7) == CalibrationPoint(0.7, 6, 40)
    assert resolve_effort(points, 0.99).nprobe == 10
    assert resolve_effort(points, 0.1).shortlist == 20


def test_invalid_efforts_are_refused() -> None:
    for effort in (0, 1.1, -0.5, float("nan")):
        with pytest.raises(OutOfRangeError):
            resolve_effort([CalibrationPoint(0.9, 5, 50)], effort)
    for name in ("enormous", [0.9], object()):
        with pytest.raises(UnknownChoiceError):
            resolve_effort([CalibrationPoint(0.9, 5, 50)], name)  # type: ignore[arg-type]
