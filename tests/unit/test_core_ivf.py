"""`snapseek._core.IvfIndex` against the NumPy oracle in `support/reference_index.py`."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from snapseek._core import FlatIndex, IvfFilter, IvfIndex, build_flat, build_ivf
from snapseek.errors import FormatError, InputError, StorageError
from tests.support import reference_index
from tests.support.reference import F32
from tests.support.reference_index import Reference

ROWS, DIM = 2000, 37
REFINED = ("tcq0.75", "tcq2", "tcq2.75", "tcq3", "bst0.625", "bst2.25", "bst6", "int4", "int8", "f16")
CODECS = ("none", *REFINED)
Bools = NDArray[np.bool_]


def clustered(n: int, dim: int, seed: int = 0) -> F32:
    """Rows around 20 centres, every tenth a copy of the one before, (n, dim) float32."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((20, dim))[random.integers(20, size=n)] + 0.5 * random.standard_normal(
        (n, dim)
    )
    rows[9::10] = rows[8::10][: len(rows[9::10])]
    return rows.astype(np.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An index of each codec, with ids 0 to ROWS - 1 in a random order."""
    home = tmp_path_factory.mktemp("index")
    ids = np.random.default_rng(5).permutation(ROWS)
    paths = {codec: home / f"{codec}.snap" for codec in CODECS}
    for codec, path in paths.items():
        build_ivf(path, clustered(ROWS, DIM), queries=clustered(200, DIM, 1), ids=ids, nlist=17, refine=codec)
    return paths


@pytest.fixture(scope="module")
def index(files: dict[str, Path]) -> IvfIndex:
    return IvfIndex.open(files["int8"])


def exact(index: IvfIndex, queries: F32, k: int, allow: Bools | None = None) -> tuple[NDArray[np.int64], F32]:
    return index.search(queries, k, nprobe=1, shortlist=1, exact=True, allow=allow)


# --- agreement with the oracle


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), k=st.integers(0, 60), share=st.sampled_from([0.0, 0.001, 0.05, 0.5, 1.0]))
def test_exact_search_agrees_with_the_oracle_to_the_bit(
    files: dict[str, Path], data: st.DataObject, k: int, share: float
) -> None:
    codec = data.draw(st.sampled_from(REFINED))
    seed = data.draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    query = (random.standard_normal(DIM) * 10.0 ** random.integers(-3, 4)).astype(np.float32)
    allowed = random.random(ROWS) < share
    oracle = REFERENCES.setdefault(files[codec], Reference.read(files[codec]))
    ids, scores = exact(IvfIndex.open(files[codec]), query, k, allowed)
    expected_ids, expected_scores = oracle.search(query, k, allowed)
    assert ids.shape == scores.shape == (1, min(k, allowed.sum()))
    np.testing.assert_array_equal(scores[0], expected_scores)
    np.testing.assert_array_equal(ids[0], expected_ids)
    more, _ = exact(IvfIndex.open(files[codec]), query, k + 7, allowed)
    np.testing.assert_array_equal(more[0, : ids.shape[1]], ids[0])


REFERENCES: dict[Path, Reference] = {}


def test_a_row_is_the_sum_of_its_parts(files: dict[str, Path]) -> None:
    parts = Reference.read(files["int8"])
    values = clustered(ROWS, DIM)
    ids = np.random.default_rng(5).permutation(ROWS)
    given = values[np.argsort(ids)][parts.ids]
    stride = parts.parts["means"].size // len(parts.parts["pulls"])
    means = parts.parts["means"].reshape(-1, stride)[:, :DIM] * parts.parts["mscales"][:, None]
    books = parts.parts["books"].reshape(parts.m, 16, 4)
    y = books[np.arange(parts.m), parts.codes()].reshape(ROWS, -1)
    refined = parts.tier()[:, :DIM] * parts.row_scales[:, None]
    b = parts.parts["b"].reshape(-1, stride)[:, :DIM] * parts.parts["bscales"][:, None]
    rebuilt = means[parts.lists()] + y @ b + refined
    # The rounding is shaped, so a value may be off by a few steps.
    assert np.abs(rebuilt - given).max() < 8 * parts.row_scales.max()
    without = np.abs(rebuilt - refined - given).mean()
    assert np.abs(rebuilt - given).mean() < 0.05 * without


def test_probing_all_finds_what_is_there(index: IvfIndex) -> None:
    queries = clustered(50, DIM, 2)
    expected, _ = exact(index, queries, 10)
    found, scores = index.search(queries, 10, nprobe=17, shortlist=400)
    assert np.mean([len(np.intersect1d(a, b)) for a, b in zip(found, expected, strict=True)]) > 9.9
    assert (np.diff(scores, axis=1) <= 0).all()


def test_codes_alone_are_near(files: dict[str, Path]) -> None:
    queries = clustered(50, DIM, 2)
    expected, _ = exact(IvfIndex.open(files["int8"]), queries, 10)
    found, _ = IvfIndex.open(files["none"]).search(queries, 10, nprobe=17, shortlist=10)
    assert np.mean([len(np.intersect1d(a, b)) for a, b in zip(found, expected, strict=True)]) > 4


# --- filters


def test_every_way_to_say_a_filter_gives_the_same(index: IvfIndex) -> None:
    allowed = np.random.default_rng(3).random(ROWS) < 0.4
    query = clustered(1, DIM, 4)
    wanted = np.flatnonzero(allowed)[::-1]
    ways: list[IvfFilter | Bools | NDArray[np.int64]] = [
        allowed,
        np.append(wanted, [-5, 10**12, wanted[0]]),
        index.filter(allowed),
        index.filter(allowed[index.ids()], by_row=True),
    ]
    answers = [index.search(query, 30, nprobe=3, shortlist=60, allow=allow) for allow in ways]
    for ids, scores in answers:
        np.testing.assert_array_equal(ids, answers[0][0])
        np.testing.assert_array_equal(scores, answers[0][1])
    assert allowed[answers[0][0]].all()
    assert index.filter(allowed).allowed == allowed.sum()


@pytest.mark.parametrize("codec", ["none", "tcq3", "int4", "int8"])
@pytest.mark.parametrize("count", [0, 1, 9, 200])
def test_never_fewer_than_allowed(files: dict[str, Path], codec: str, count: int) -> None:
    allowed = np.zeros(ROWS, bool)
    allowed[np.random.default_rng(count).permutation(ROWS)[:count]] = True
    ids, scores = IvfIndex.open(files[codec]).search(
        clustered(3, DIM, 6), 50, nprobe=1, shortlist=1, allow=allowed
    )
    assert ids.shape == scores.shape == (3, min(50, count))
    assert allowed[ids].all()


# --- many queries, many threads


def test_threads_change_nothing(index: IvfIndex) -> None:
    queries = clustered(150, DIM, 7)
    one = index.search(queries, 7, nprobe=4, shortlist=40)
    many = index.search(queries, 7, nprobe=4, shortlist=40, threads=3)
    np.testing.assert_array_equal(one[0], many[0])
    np.testing.assert_array_equal(one[1], many[1])


def test_an_index_is_shared_between_threads(index: IvfIndex) -> None:
    queries = clustered(40, DIM, 8)
    expected, _ = index.search(queries, 5, nprobe=4, shortlist=40)
    wrong: list[int] = []

    def work() -> None:
        for row, query in enumerate(queries):
            ids, _ = index.search(query, 5, nprobe=4, shortlist=40)
            if not np.array_equal(ids[0], expected[row]):
                wrong.append(row)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- what the index says of itself


def test_the_sizes_are_those_of_the_page(files: dict[str, Path]) -> None:
    for codec, path in files.items():
        index, parts = IvfIndex.open(path), Reference.read(path).parts
        assert list(parts) == list(reference_index.section_table())
        assert (index.rows, index.dim, index.nlist, index.refine) == (ROWS, DIM, 17, codec)
        assert index.m == parts["shape"][0] == 12
        assert index.size_bytes == path.stat().st_size
        assert parts["a"].size == 48 * len(parts["ascales"]) == 48 * 4 * 12
        assert parts["b"].size == 48 * len(parts["bscales"]) == 48 * 4 * 12
        assert parts["books"].size == parts["keybooks"].size == 12 * 16 * 4
        assert parts["keyblock"].size == 12 * 16 + 32
        assert parts["blocks"].size == -(-ROWS // 32) * (12 * 16 + 32)
        row_bytes = {
            "none": 0,
            "tcq0.75": 8,
            "tcq2": 16,
            "tcq2.75": 24,
            "tcq3": 24,
            "bst0.625": 8,
            "bst2.25": 16,
            "bst6": 40,
            "int4": 24,
            "int8": 48,
            "f16": 96,
        }[codec]
        assert parts["tier"].size == ROWS * row_bytes
        assert parts["efforts"].size == 4 * sum(len(points) for *_, points in index.calibrations)
        assert index.transform == parts["shape"][3] in range(4)
        np.testing.assert_array_equal(index.transform_recalls, parts["gains"])
        np.testing.assert_array_equal(index.ids(), Reference.read(path).ids)
        assert sorted(index.ids()) == list(range(ROWS))


@pytest.mark.parametrize(
    ("smallest", "step", "bits"),
    [(0, 1, 7), (-(2**63), 1, 7), (2**63 - 100, 1, 7), (-5, 2**50, 0), (7, 2**40 + 1, 47)],
)
def test_ids_of_any_range_are_found(tmp_path: Path, smallest: int, step: int, bits: int) -> None:
    ids = np.array([smallest + step * n for n in range(100)], np.int64)[
        np.random.default_rng(6).permutation(100)
    ]
    values = clustered(100, DIM)
    build_ivf(tmp_path / "a.snap", values, ids=ids, nlist=3, refine="int8")
    index = IvfIndex.open(tmp_path / "a.snap")
    assert sorted(index.ids()) == sorted(ids)
    found, _ = index.search(values[41:42], 100, nprobe=1, shortlist=1, exact=True)
    assert sorted(found[0]) == sorted(ids)
    assert ids[41] in found[0, :3]
    assert Reference.read(tmp_path / "a.snap").parts["shape"][7] >> 8 & 0xFF == bits


def test_more_effort_costs_more_and_finds_more(index: IvfIndex) -> None:
    tables = index.calibrations
    assert [table[:2] for table in tables] == [(like, k) for like in ("samples", "rows") for k in (10, 100)]
    for *_, queries, points in tables:
        assert queries > 0
        assert points == sorted(points)
        assert all(nprobe >= 1 and shortlist >= 1 for _, nprobe, shortlist in points)


@pytest.mark.parametrize("load", ["map", "ram"])
def test_both_ways_to_load_answer_alike(files: dict[str, Path], index: IvfIndex, load: str) -> None:
    loaded = IvfIndex.open(files["int8"], load=load)
    loaded.verify()
    query = clustered(1, DIM, 9)
    np.testing.assert_array_equal(exact(loaded, query, 9)[0], exact(index, query, 9)[0])


# --- bad input


def search(index: IvfIndex, queries: object, k: object = 3, **more: object) -> object:
    settings: dict[str, object] = {"nprobe": 1, "shortlist": 10, **more}
    return index.search(queries, k, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda index: search(index, np.zeros((1, 3), np.float32)),
            "expected vectors of 37 dimensions, got 3",
        ),
        (lambda index: search(index, np.zeros((1, DIM))), "queries must be a NumPy array of float32"),
        (lambda index: search(index, np.full(DIM, np.nan, np.float32)), "expected finite values, found NaN"),
        (lambda index: search(index, np.zeros(DIM, np.float32), -1), "k must be a whole number"),
        (lambda index: search(index, np.zeros(DIM, np.float32), allow=np.ones(9, bool)), "each of the 2000"),
        (
            lambda index: search(index, np.zeros(DIM, np.float32), allow=np.ones(9)),
            "allow must be a NumPy array",
        ),
        (lambda index: index.filter(np.ones((2, 2), bool)), r"allow must be shape \(n,\)"),
        (lambda index: index.filter(np.ones(1999, bool), by_row=True), "holds 1999"),
    ],
)
def test_bad_input_is_named(index: IvfIndex, call: Callable[[IvfIndex], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(index)


def test_arrays_of_any_strides_are_read(index: IvfIndex) -> None:
    queries = clustered(8, DIM, 10)
    expected, _ = exact(index, queries[::2], 4)
    for same in (np.asfortranarray(queries)[::2], queries[::2]):
        same.setflags(write=False)
        np.testing.assert_array_equal(exact(index, same, 4)[0], expected)


def test_files_that_are_no_index_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not open"):
        IvfIndex.open(tmp_path / "none.snap")
    with pytest.raises(StorageError):
        IvfIndex.open(tmp_path)
    with pytest.raises(InputError, match="load"):
        IvfIndex.open(files["int8"], load="disk")
    flat = tmp_path / "flat.snap"
    build_flat(flat, clustered(9, DIM))
    with pytest.raises(FormatError, match="of kind 1 and kind 2"):
        IvfIndex.open(flat)
    with pytest.raises(FormatError, match="of kind 2 and kind 1"):
        FlatIndex.open(files["int8"])


def test_damage_is_found(files: dict[str, Path], tmp_path: Path) -> None:
    data = files["int8"].read_bytes()
    path = tmp_path / "a.snap"
    for position in np.random.default_rng(11).integers(len(data), size=60):
        path.unlink(missing_ok=True)
        damaged = bytearray(data)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        with pytest.raises(FormatError):
            IvfIndex.open(path).verify()
    path.unlink()
    path.write_bytes(data[:-1])
    with pytest.raises(FormatError, match="needs at least"):
        IvfIndex.open(path)
