"""`snapseek.VectorIndex` and everything that could be wrong with what it is given."""

import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snapseek import VectorIndex
from snapseek.errors import (
    ArrayError,
    FormatError,
    InputError,
    OutOfRangeError,
    ParseError,
    StorageError,
    UnknownChoiceError,
)
from tests.support import reference
from tests.support.vector_rows import DIM, LISTS, names, unit_rows


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    """2,000 rows in inverted lists."""
    path = tmp_path_factory.mktemp("lists") / "a.snap"
    return VectorIndex.build(unit_rows(2000), unit_rows(200, seed=1), path=path, **LISTS)


@pytest.fixture(scope="module", params=["lists", "flat"])
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    """2,000 rows in each kind of file."""
    if request.param == "lists":
        found: VectorIndex = request.getfixturevalue("lists")
        return found
    return VectorIndex.build(unit_rows(2000), path=tmp_path_factory.mktemp("flat") / "a.snap")


@pytest.mark.parametrize("settings", [{}, LISTS])
@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (unit_rows(9).astype(np.float64), "must be a NumPy array of float32"),
        (unit_rows(9).astype(np.int8), "must be a NumPy array of float32"),
        (unit_rows(9).tolist(), "an array of shape|must be"),
        (unit_rows(9)[0], "shape"),
        (unit_rows(8).reshape(2, 4, DIM), "shape"),
        (np.zeros((3, 0), np.float32), "1 to 4096 dimensions, these have 0"),
        (np.zeros((3, 4097), np.float32), "these have 4097"),
    ],
    ids=["float64", "int8", "list", "1-d", "3-d", "dim 0", "dim 4097"],
)
def test_wrong_dtype_shape_dim(vectors: Any, message: str, settings: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        VectorIndex.build(vectors, path=tmp_path / "a.snap", **settings)
    assert names(tmp_path) == []


@pytest.mark.parametrize("settings", [{}, LISTS])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_nan_and_inf(value: float, dtype: Any, settings: Any, tmp_path: Path) -> None:
    vectors = unit_rows(500).astype(dtype)
    vectors[321, 5] = value
    with pytest.raises(InputError, match=f"found {str(value).replace('nan', 'NaN')} at row 321, column 5"):
        VectorIndex.build(vectors, path=tmp_path / "a.snap", **settings)
    assert names(tmp_path) == []


def test_nan_in_queries(index: VectorIndex) -> None:
    queries = unit_rows(3)
    queries[1, 2] = np.nan
    with pytest.raises(InputError, match="row 1, column 2"):
        index.search(queries)
    for settings in ({}, LISTS):
        with pytest.raises(InputError, match="row 1, column 2"):
            VectorIndex.build(unit_rows(400), queries, **settings)


@pytest.mark.parametrize("settings", [{}, LISTS])
def test_threads_out_of_range(settings: Any) -> None:
    for threads in (0, -1):
        with pytest.raises(OutOfRangeError):
            VectorIndex.build(unit_rows(400), threads=threads, **settings)


@pytest.mark.parametrize("settings", [{}, LISTS])
def test_queries_of_another_dim(settings: Any) -> None:
    with pytest.raises(InputError, match=r"24.*25|25.*24"):
        VectorIndex.build(unit_rows(400), unit_rows(50, 25), **settings)


def test_queries_that_are_not_an_array(index: VectorIndex) -> None:
    for queries in (None, 1.0, np.float32(1), [1.0] * DIM, [[1.0, 2.0], [3.0]]):
        with pytest.raises(ArrayError):
            index.search(queries)  # type: ignore[arg-type]


def test_wrong_queries(index: VectorIndex) -> None:
    for queries in (
        unit_rows(3, 25),
        unit_rows(3).astype(np.float64),
        unit_rows(4).reshape(2, 2, DIM),
        "text",
    ):
        with pytest.raises(InputError):
            index.search(queries)  # type: ignore[arg-type]


def test_zero_rows_are_found_last_but_found(tmp_path: Path) -> None:
    vectors = np.abs(unit_rows(400))
    vectors[100:150] = 0
    for kind in ({}, LISTS):
        index = VectorIndex.build(vectors, path=tmp_path / "a.snap", **kind)
        ids = index.search(np.ones(DIM, np.float32), k=400, exact=True)[0]
        assert set(ids[0, 350:]) == set(range(100, 150))
    only = VectorIndex.build(np.zeros((300, DIM), np.float32), nlist=5)
    np.testing.assert_array_equal(only.search(unit_rows(1), k=4)[0], [[0, 1, 2, 3]])


@pytest.mark.slow
def test_a_hundred_thousand_equal_rows(tmp_path: Path) -> None:
    vectors = np.repeat(unit_rows(1), 100_000, axis=0)
    index = VectorIndex.build(vectors, path=tmp_path / "a.snap")
    assert index.info().kind == "ivf"
    for exact in (False, True):
        ids, scores = index.search(vectors[0], k=20, exact=exact)
        assert (scores == scores[0, 0]).all()
        assert scores[0, 0] == pytest.approx(1, abs=0.01)
        assert len(set(ids[0])) == 20
    np.testing.assert_array_equal(index.search(vectors[0], k=5, exact=True)[0], [[0, 1, 2, 3, 4]])


@pytest.mark.parametrize("settings", [{}, {"nlist": 1}])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_fewer_rows_than_k(n: int, settings: Any, tmp_path: Path) -> None:
    index = VectorIndex.build(unit_rows(n), path=tmp_path / "a.snap", **settings)
    ids, scores = index.search(unit_rows(2, seed=1), k=10)
    assert ids.shape == scores.shape == (2, n)
    assert sorted(ids[0]) == list(range(n))
    assert index.search(unit_rows(0), k=10)[0].shape == (0, n)
    index.verify()


def test_k(index: VectorIndex) -> None:
    assert index.search(unit_rows(2), k=0)[0].shape == (2, 0)
    for k in (-1, 1.5, "ten", None):
        with pytest.raises(InputError, match="k must be a whole number, 0 or more"):
            index.search(unit_rows(2), k=k)  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [{}, LISTS])
def test_ids_repeated_or_too_few(settings: Any, tmp_path: Path) -> None:
    vectors = unit_rows(400)
    wrong: list[tuple[Any, str]] = [
        (np.zeros(400, np.int64), "0 is the id of more than one row"),
        (np.arange(399), "each of the 400 rows, it holds 399"),
        (np.arange(400) / 2, "integers, got an array of float64"),
        (np.arange(400).reshape(2, 200), "shape"),
    ]
    for ids, message in wrong:
        with pytest.raises(InputError, match=message):
            VectorIndex.build(vectors, ids=ids, path=tmp_path / "a.snap", **settings)
    assert names(tmp_path) == []


def test_allow_of_wrong_length_or_type(index: VectorIndex) -> None:
    for allow in (
        np.ones(1999, np.bool_),
        np.ones(2001, np.bool_),
        np.ones((2000, 1), np.bool_),
        np.ones(2000),
    ):
        with pytest.raises(InputError, match="allow"):
            index.search(unit_rows(1), allow=allow)  # type: ignore[arg-type]


def test_flags_by_row_of_another_kind(index: VectorIndex) -> None:
    for allow in ([True] * 2000, None, np.ones(1999, np.bool_), np.ones((2000, 1), np.bool_)):
        with pytest.raises(InputError, match="allow"):
            index.filter(allow, by_row=True)  # type: ignore[arg-type]


def test_wrong_rows(index: VectorIndex) -> None:
    for rows in ([-1], [2000], [1.5], [[1], [1, 2]], np.array([2**63], np.uint64)):
        with pytest.raises(InputError):
            index.vectors(rows)


def test_info_of_a_removed_file_is_refused_and_search_works(tmp_path: Path) -> None:
    for settings in ({}, LISTS):
        path = tmp_path / "a.snap"
        index = VectorIndex.build(unit_rows(400), path=path, **settings)
        path.unlink()
        with pytest.raises(StorageError, match=r"could not read the size of .*a\.snap: No such file"):
            index.info()
        assert index.search(unit_rows(400)[:1])[0][0, 0] == 0


def test_a_temporary_directory_that_cannot_be_created(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(StorageError, match=r"could not make a temporary directory: No such .*pass a path"):
        VectorIndex.build(unit_rows(9))


def test_an_invalid_load_or_path(tmp_path: Path) -> None:
    path = tmp_path / "a.snap"
    VectorIndex.build(unit_rows(9), path=path)
    with pytest.raises(UnknownChoiceError):
        VectorIndex.open(path, load="disk")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a path that a file can have"):
        VectorIndex.open("a\0b")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"m": 6}, "m must be 4 to 8, and a multiple of 4, got 6"),
        ({"nlist": 0}, "nlist must be 1 to 400, got 0"),
        ({"nlist": 401}, "nlist must be 1 to 400, got 401"),
        (
            {"refine": "int9"},
            "refine must be one of none, tcq0.25, tcq0.5, tcq0.75, tcq1, tcq1.25, tcq1.5, tcq1.75, tcq2, ",
        ),
        ({"transform": "fourier"}, "transform must be one of identity, pca"),
        ({"memory": "5kB"}, "memory must be at least"),
    ],
)
def test_options_that_the_core_refuses(settings: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        VectorIndex.build(unit_rows(400), path=tmp_path / "a.snap", **settings)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"memory": "100 rows"}, ParseError),
        ({"memory": "9" * 400}, ParseError),
        ({"m": -4}, OutOfRangeError),
        ({"nlist": 2**64}, OutOfRangeError),
        ({"seed": -1}, OutOfRangeError),
        ({"threads": 0, "nlist": 2}, OutOfRangeError),
    ],
)
def test_options_out_of_range(settings: Any, kind: type[InputError], tmp_path: Path) -> None:
    with pytest.raises(kind):
        VectorIndex.build(unit_rows(400), path=tmp_path / "a.snap", **settings)
    assert names(tmp_path) == []


def test_efforts_out_of_range(index: VectorIndex) -> None:
    for effort, kind in [
        (0, OutOfRangeError),
        (1.1, OutOfRangeError),
        (-0.5, OutOfRangeError),
        (float("nan"), OutOfRangeError),
        ("enormous", UnknownChoiceError),
    ]:
        with pytest.raises(kind):
            index.search(unit_rows(1), effort=effort)
        with pytest.raises(kind):
            index.search_params(effort)


@pytest.mark.parametrize("settings", [{}, LISTS])
def test_a_path_that_is_a_directory_or_missing(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "none" / "a.snap"):
        with pytest.raises(StorageError, match="could not"):
            VectorIndex.build(unit_rows(400), path=path, **settings)
        with pytest.raises(StorageError, match="could not open"):
            VectorIndex.open(path)
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == []


@pytest.mark.parametrize("settings", [{}, LISTS])
def test_a_full_disk_leaves_the_old_file(settings: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.snap"
    VectorIndex.build(unit_rows(5), path=path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(StorageError, match="could not write"):
            VectorIndex.build(unit_rows(2000), path=path, **settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert names(tmp_path) == ["a.snap"]


def test_truncated_files_are_refused(index: VectorIndex, tmp_path: Path) -> None:
    whole = index.info().path.read_bytes()
    for length in [*range(0, 800, 37), len(whole) // 2, len(whole) - 1]:
        (tmp_path / "cut.snap").write_bytes(whole[:length])
        with pytest.raises(FormatError):
            VectorIndex.open(tmp_path / "cut.snap")


def test_flipped_bits_are_found(index: VectorIndex, tmp_path: Path) -> None:
    whole = index.info().path.read_bytes()
    for bit in np.random.default_rng(0).integers(0, 8 * len(whole), 300).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path = tmp_path / f"{bit}.snap"
        path.write_bytes(damaged)
        with pytest.raises(FormatError):
            VectorIndex.open(path).verify()
        path.unlink()


def test_a_newer_version_is_named(index: VectorIndex, tmp_path: Path) -> None:
    newer = bytearray(index.info().path.read_bytes())
    newer[8] = 2
    end = int.from_bytes(newer[12:16], "little") - 4
    newer[end : end + 4] = reference.crc32c(bytes(newer[:end])).to_bytes(4, "little")
    (tmp_path / "newer.snap").write_bytes(newer)
    with pytest.raises(FormatError, match="format version 2 and this snapseek reads up to 1"):
        VectorIndex.open(tmp_path / "newer.snap")


def test_a_file_that_is_not_an_index(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("not a .snap file at all")
    with pytest.raises(FormatError, match=r"does not begin with the magic bytes"):
        VectorIndex.open(tmp_path / "a.txt")
    with pytest.raises(StorageError, match="could not open"):
        VectorIndex.open(tmp_path / "none.snap")


@pytest.mark.parametrize("settings", [{}, LISTS])
def test_queries_of_another_dtype(settings: Any) -> None:
    samples = unit_rows(50)
    for queries in (samples.astype(np.float64), samples.tolist(), samples.astype(object)):
        with pytest.raises(InputError, match=r"queries .* be a NumPy array of float"):
            VectorIndex.build(unit_rows(400), queries, **settings)


def test_negative_rows_are_refused(index: VectorIndex) -> None:
    with pytest.raises(OutOfRangeError) as caught:
        index.vectors([3, -1])
    assert (caught.value.expected, caught.value.got) == ("rows from 0 to 1999", "-1")
