"""`snapseek.vectors.calibration`: between measured points, beyond them, and what is no effort."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from snapseek import VectorIndex
from snapseek.errors import InputError, OutOfRangeError, StorageError, UnknownChoiceError
from snapseek.vectors import EffortWarning
from snapseek.vectors.calibration import CalibrationPoint, resolve_effort
from tests.support.vector_rows import LISTS, unit_rows


def test_efforts_between_points_are_interpolated() -> None:
    points = [CalibrationPoint(0.5, 2, 20), CalibrationPoint(0.9, 10, 60)]
    assert resolve_effort(points, 0.7) == CalibrationPoint(0.7, 6, 40)
    assert resolve_effort(points, 0.1).shortlist == 20


def test_invalid_efforts_are_refused() -> None:
    for effort in (0, 1.1, -0.5, float("nan")):
        with pytest.raises(OutOfRangeError):
            resolve_effort([CalibrationPoint(0.9, 5, 50)], effort)
    for name in ("enormous", [0.9], object()):
        with pytest.raises(UnknownChoiceError):
            resolve_effort([CalibrationPoint(0.9, 5, 50)], name)  # type: ignore[arg-type]


def test_an_effort_beyond_the_calibration_is_a_warning() -> None:
    points = [CalibrationPoint(0.5, 2, 20), CalibrationPoint(0.92, 10, 60)]
    for effort in (0.93, "medium", 1):
        with pytest.warns(EffortWarning, match=r"reaches 0\.920"):
            assert resolve_effort(points, effort).nprobe == 10
    with warnings.catch_warnings(action="error"):
        assert resolve_effort(points, None).nprobe == 10
        assert resolve_effort(points, 0.92).nprobe == 10


def test_info_says_what_was_calibrated_with_what(tmp_path: Path) -> None:
    index = VectorIndex.build(unit_rows(1000), unit_rows(200, seed=1), path=tmp_path / "a", **LISTS)
    assert (index.info().calibration_source, index.info().calibration_queries) == ("samples", 50)
    index = VectorIndex.build(unit_rows(1000), path=tmp_path / "b", **LISTS)
    assert (index.info().calibration_source, index.info().calibration_queries) == ("rows", 1000)
    assert VectorIndex.build(unit_rows(10), path=tmp_path / "c").info().calibration_source == "unknown"


def test_an_open_index_is_calibrated_with_other_queries(tmp_path: Path) -> None:
    index = VectorIndex.build(unit_rows(3000), path=tmp_path / "a", **LISTS)
    query = unit_rows(1, seed=9)
    allow = index.filter(np.arange(500))
    before, found = index.info(), index.search(query, 10, exact=True)
    index.calibrate((unit_rows(300, seed=5) * 1e-25).astype(np.float32), threads=1)
    after = index.info()
    assert (after.calibration_source, after.calibration_queries) == ("samples", 300)
    assert after.calibration != before.calibration
    assert len(after.calibration) == len(before.calibration)
    np.testing.assert_array_equal(index.search(query, 10, exact=True)[1], found[1])
    assert index.search(query, 10, allow=allow)[0].max() < 500
    opened = VectorIndex.open(tmp_path / "a")
    opened.verify()
    assert opened.info().calibration == after.calibration
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_failed_calibration_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    index = VectorIndex.build(unit_rows(600), path=tmp_path / "a", **LISTS)
    content = (tmp_path / "a").read_bytes()
    for queries in (unit_rows(5)[:, :3].copy(), unit_rows(0), unit_rows(2) * np.float32(np.nan)):
        with pytest.raises(InputError):
            index.calibrate(queries)
    with pytest.raises(ZeroDivisionError):
        index.calibrate(unit_rows(50), progress=lambda stage, share: 1 / 0)
    assert (tmp_path / "a").read_bytes() == content
    other = VectorIndex.build(unit_rows(700), path=tmp_path / "b", **LISTS)
    (tmp_path / "b").replace(tmp_path / "a")
    with pytest.raises(StorageError, match="another file"):
        index.calibrate(unit_rows(50))
    assert len(VectorIndex.open(tmp_path / "a")) == len(other)


def test_a_flat_index_needs_no_calibration(tmp_path: Path) -> None:
    index = VectorIndex.build(unit_rows(100), path=tmp_path / "a")
    index.calibrate(unit_rows(20))
    with pytest.raises(InputError):
        index.calibrate(unit_rows(20)[:, :3].copy())
