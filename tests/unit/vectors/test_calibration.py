"""`snapseek.vectors.calibration`: between measured points, beyond them, and what is no effort."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from snapseek import VectorIndex
from snapseek.errors import InputError, OutOfRangeError, StorageError, UnknownChoiceError
from snapseek.vectors import EffortWarning
from snapseek.vectors.calibration import Calibration, CalibrationPoint, Calibrations, resolve_effort
from tests.support.golden_files import GOLDEN
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


def _cone(n: int, axis: int, seed: int) -> np.ndarray:
    """Return unit rows around one axis, (n, dim) float32."""
    rows = 0.5 * unit_rows(n, seed=seed)
    rows[:, axis] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def two_cones(tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    """Return an index of rows in one cone, with samples in another."""
    path = tmp_path_factory.mktemp("cones") / "a"
    return VectorIndex.build(_cone(3000, 0, 1), _cone(400, 1, 2), path=path, **LISTS)


def test_both_kinds_of_query_and_numbers_of_hits_are_calibrated(two_cones: VectorIndex) -> None:
    tables = two_cones.info().calibrations
    assert [(table.like, table.k, table.source, table.queries) for table in tables] == [
        ("samples", 10, "samples", 100),
        ("samples", 100, "samples", 100),
        ("rows", 10, "rows", 512),
        ("rows", 100, "rows", 512),
    ]
    for table in tables:
        assert [point.recall for point in table.points] == sorted(point.recall for point in table.points)
    assert two_cones.info().calibration == tables[0].points


def test_each_query_is_searched_as_its_kind(two_cones: VectorIndex) -> None:
    queries = np.concatenate([_cone(20, 0, 7), _cone(20, 1, 8)])
    kinds = [two_cones.query_kind(query) for query in queries]
    assert kinds.count("rows") >= 18
    assert set(kinds[20:]) == {"samples"}
    assert kinds == [two_cones.query_kind(np.float32(1e-20) * query) for query in queries]
    for k, effort in ((3, 0.9), (40, 0.5)):
        found = two_cones.search(queries, k, effort=effort)
        for kind, query, ids, scores in zip(kinds, queries, *found, strict=True):
            params = two_cones.search_params(effort, k=k, like=kind)
            one = two_cones.search(query, k, effort=params)
            np.testing.assert_array_equal((one[0][0], one[1][0]), (ids, scores))
            one = two_cones.search(query, k, effort=effort, like=kind)
            np.testing.assert_array_equal(one[0][0], ids)
    with pytest.raises(UnknownChoiceError, match="like"):
        two_cones.search(queries, like="pictures")  # type: ignore[arg-type]


def test_more_hits_take_more_lists_and_rows(two_cones: VectorIndex) -> None:
    points = [two_cones.search_params(0.9, k=k) for k in (1, 10, 30, 100, 300, 10**9)]
    one, ten, more, hundred, beyond, all_rows = (point for point in points if point)
    tables = two_cones.info().calibrations
    assert one == ten == resolve_effort(tables[0].points, 0.9)
    assert hundred == resolve_effort(tables[1].points, 0.9)
    assert ten.shortlist < more.shortlist < hundred.shortlist < beyond.shortlist <= all_rows.shortlist


def test_an_effort_beyond_any_used_table_is_a_warning() -> None:
    def table(k: int, recall: float) -> Calibration:
        return Calibration("samples", k, "samples", 9, (CalibrationPoint(recall, 5, k),))

    calibrations = Calibrations([table(10, 0.97), table(100, 0.9)])
    with warnings.catch_warnings(action="error"):
        calibrations.plan(0.95, 10)
        calibrations.plan(None, 50)
    for _ in range(2):
        with pytest.warns(EffortWarning, match=r"reaches 0\.900"):
            calibrations.plan(0.95, 50)


def test_a_recalibration_keeps_the_tables_for_rows(tmp_path: Path) -> None:
    index = VectorIndex.build(_cone(3000, 0, 1), path=tmp_path / "a", **LISTS)
    before, text = index.info().calibrations, _cone(1, 2, 5)[0]
    assert [table.source for table in before] == ["rows"] * 4
    assert index.query_kind(_cone(1, 0, 4)[0]) == "rows"
    index.calibrate(_cone(300, 2, 3))
    after = index.info().calibrations
    assert after[2:] == before[2:]
    assert [(table.source, table.queries) for table in after[:2]] == [("samples", 300)] * 2
    assert (index.query_kind(text), index.query_kind(_cone(1, 0, 4)[0])) == ("samples", "rows")
    index.verify()


@pytest.mark.parametrize("tier", ["none", "int8", "f16"])
def test_a_file_of_an_earlier_version_has_one_table(tier: str, tmp_path: Path) -> None:
    path = tmp_path / "a.snap"
    path.write_bytes((GOLDEN / "version-1" / f"lists-{tier}.snap").read_bytes())
    index = VectorIndex.open(path)
    (table,) = index.info().calibrations
    assert (table.like, table.k, table.source) == ("samples", 10, "unknown")
    query = unit_rows(1, index.dim, seed=4)
    assert index.query_kind(query[0]) == "samples"
    assert index.search_params(0.5, k=100, like="rows") == index.search_params(0.5)
    index.calibrate(unit_rows(40, index.dim, seed=6))
    assert index.info().calibration_source == "samples"
    index.verify()
