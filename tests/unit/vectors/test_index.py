"""`snapseek.VectorIndex`: what a user of vectors alone does with it, and everything that could go wrong."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import snapseek
from benches import clip_like
from snapseek import VectorIndex
from snapseek.errors import InputError
from snapseek.vectors.arguments import memory_limit
from snapseek.vectors.index import FLAT_ROWS, CalibrationPoint
from tests.support import reference
from tests.support.vector_rows import DIM, LISTS, names, unit_rows


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, truth, strict=True)]))


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    """2,000 rows in inverted lists."""
    path = tmp_path_factory.mktemp("lists") / "a.snap"
    return VectorIndex.build(unit_rows(2000), unit_rows(200, seed=1), path=path, **LISTS)


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    """2,000 rows in a flat file."""
    return VectorIndex.build(unit_rows(2000), path=tmp_path_factory.mktemp("flat") / "a.snap")


@pytest.fixture(params=["lists", "flat"])
def index(request: pytest.FixtureRequest) -> VectorIndex:
    found: VectorIndex = request.getfixturevalue(request.param)
    return found


# --- what it is for


def test_the_package_exports_vector_index() -> None:
    assert snapseek.VectorIndex is VectorIndex


def test_build_search_open(tmp_path: Path) -> None:
    vectors = unit_rows(500)
    built = VectorIndex.build(vectors, path=tmp_path / "a.snap")
    ids, scores = built.search(vectors[7], k=3)
    assert (ids.shape, ids.dtype, scores.dtype) == ((1, 3), np.int64, np.float32)
    assert ids[0, 0] == 7
    assert scores[0, 0] == pytest.approx(1, abs=0.01)
    opened = VectorIndex.open(tmp_path / "a.snap")
    np.testing.assert_array_equal(opened.search(vectors[7], k=3)[0], ids)
    assert (len(opened), opened.dim) == (500, DIM)
    assert names(tmp_path) == ["a.snap"]


def test_few_rows_are_flat_unless_options_are_passed(index: VectorIndex, flat: VectorIndex) -> None:
    info = index.info()
    assert (info.rows, info.dim, info.size_bytes) == (2000, DIM, info.path.stat().st_size)
    if index is flat:
        assert (info.kind, info.nlist, info.calibration) == ("flat", 0, ())
    else:
        assert (info.kind, info.nlist, info.m, info.refine) == ("ivf", 20, 8, "int8")
        assert len(info.calibration) == 17
        assert max(info.transform_recalls, key=lambda name: info.transform_recalls[name]) == info.transform
        assert all(a.recall <= b.recall for a, b in zip(info.calibration, info.calibration[1:], strict=False))
    assert info.kind in repr(index)


@pytest.mark.filterwarnings("ignore::snapseek.vectors.EffortWarning")  # the most thorough search will do
def test_the_best_rows_are_found(index: VectorIndex) -> None:
    vectors, queries = unit_rows(2000), unit_rows(200, seed=2)
    truth = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    assert recall(index.search(queries, effort="max")[0], truth) > 0.95
    assert recall(index.search(queries, exact=True)[0], truth) > 0.97


def test_the_ids_come_in_the_order_of_the_rows(index: VectorIndex) -> None:
    assert sorted(index.ids().tolist()) == list(range(2000))


def test_one_query_and_many_give_the_same(index: VectorIndex) -> None:
    queries = unit_rows(9, seed=3)
    ids, scores = index.search(queries, k=5)
    for query, expected, score in zip(queries, ids, scores, strict=True):
        found, found_scores = index.search(query, k=5)
        np.testing.assert_array_equal(found[0], expected)
        np.testing.assert_array_equal(found_scores[0], score)


def test_the_best_k_are_a_prefix_of_more(index: VectorIndex) -> None:
    queries = unit_rows(5, seed=4)
    more = index.search(queries, k=300, exact=True)[0]
    for k in (0, 1, 10, 299):
        np.testing.assert_array_equal(index.search(queries, k=k, exact=True)[0], more[:, :k])


@pytest.mark.parametrize("dim", [3, 8, DIM])
def test_the_best_k_of_one_shortlist_are_a_prefix_of_more_and_the_best_of_it(
    dim: int, tmp_path: Path
) -> None:
    """Of few dimensions, scores lie so close together that the steps of the scan do not tell them apart."""
    index = VectorIndex.build(unit_rows(30_000, dim), path=tmp_path / "a.snap", nlist=320)
    allow = index.filter(np.arange(30_000) % 6 != 0)
    thorough = CalibrationPoint(1.0, 320, 1000)
    queries = unit_rows(40, dim, seed=99)
    for narrowed in (None, allow):
        more = index.search(queries, k=1000, effort=thorough, allow=narrowed)[0]
        for k in (1, 10, 60, 300):
            found = index.search(queries, k=k, effort=thorough, allow=narrowed)[0]
            np.testing.assert_array_equal(found, more[:, :k])
        best = index.search(queries, k=1, exact=True, allow=narrowed)[0]
        assert recall(more[:, :1], best) == 1.0


def test_effort_is_a_recall_a_name_or_a_measured_point(lists: VectorIndex) -> None:
    point = lists.info().calibration[-1]
    found = [
        lists.search(unit_rows(3, seed=5), effort=effort)[0].shape for effort in (None, 0.5, "low", point)
    ]
    assert found == [(3, 10)] * 4


def test_search_params_of_an_effort(lists: VectorIndex, flat: VectorIndex) -> None:
    assert flat.search_params() is None
    low, usual = lists.search_params("low"), lists.search_params()
    assert low is not None
    assert usual is not None
    assert (low.recall, usual.recall) == (0.90, 0.95)
    assert low.nprobe * low.shortlist <= usual.nprobe * usual.shortlist


def test_stored_vectors_are_close_to_the_input(index: VectorIndex) -> None:
    rows = [5, 3, 5]
    found = index.vectors(rows)
    assert (found.dtype, found.shape) == (np.float32, (3, index.dim))
    np.testing.assert_allclose(found, unit_rows(2000)[index.ids()[rows]], atol=0.01)
    assert index.vectors([]).shape == (0, index.dim)
    for row in (2000, -1):
        with pytest.raises(InputError, match="row"):
            index.vectors([row])


def test_stored_vectors_are_what_scores_are_made_of(index: VectorIndex) -> None:
    query = unit_rows(1, seed=8)[0]
    ids, scores = index.search(query, 2000, exact=True)
    row_of = np.argsort(index.ids())
    np.testing.assert_allclose(index.vectors(row_of[ids[0]]) @ query, scores[0], atol=1e-4)


def test_a_filter_is_used_many_times(index: VectorIndex) -> None:
    flags = np.arange(len(index)) % 3 == 0
    for allow in (flags, np.flatnonzero(flags)):
        ready = index.filter(allow)
        for query in unit_rows(3, seed=8):
            found, scores = index.search(query, 5, allow=ready)
            expected, expected_scores = index.search(query, 5, allow=allow)
            np.testing.assert_array_equal(found, expected)
            np.testing.assert_array_equal(scores, expected_scores)
    with pytest.raises(InputError, match="one flag"):
        index.filter(flags[1:])


def test_allow_is_flags_or_ids(index: VectorIndex) -> None:
    query = unit_rows(1, seed=6)
    flags = np.zeros(2000, np.bool_)
    flags[[3, 77, 1999]] = True
    by_flag = index.search(query, k=10, allow=flags)
    assert set(by_flag[0][0]) == {3, 77, 1999}
    by_id = index.search(query, k=10, allow=np.array([77, 3, 1999, 5000], np.int64))
    np.testing.assert_array_equal(by_flag[0], by_id[0])
    assert index.search(query, allow=np.zeros(2000, np.bool_))[0].shape == (1, 0)


@pytest.mark.parametrize("settings", [{}, LISTS])
def test_ids_are_returned_instead_of_row_numbers(settings: dict[str, Any], tmp_path: Path) -> None:
    vectors = unit_rows(300)
    ids = np.random.default_rng(0).permutation(300) * 10**12 - 5
    index = VectorIndex.build(vectors, ids=ids, path=tmp_path / "a.snap", **settings)
    np.testing.assert_array_equal(index.search(vectors, k=1, exact=True)[0][:, 0], ids)
    allowed = index.search(vectors[0], k=9, allow=ids[5:8].astype(np.int64))[0]
    assert set(allowed[0]) == set(ids[5:8])
    index.verify()


@pytest.mark.parametrize("settings", [{}, LISTS])
@pytest.mark.parametrize("layout", ["float16", "fortran", "strided", "readonly", "mapped"])
def test_every_layout_of_an_array_is_read(layout: str, settings: dict[str, Any], tmp_path: Path) -> None:
    rows = unit_rows(400).astype(np.float16).astype(np.float32)
    arrays: dict[str, np.ndarray] = {
        "float16": rows.astype(np.float16),
        "fortran": np.asfortranarray(rows.astype(np.float16)),
        "strided": np.repeat(rows, 2, axis=0)[::2],
        "readonly": rows.copy(),
    }
    arrays["readonly"].flags.writeable = False
    np.save(tmp_path / "rows.npy", rows)
    arrays["mapped"] = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for name, array in (("a", rows), ("b", arrays[layout])):
        VectorIndex.build(array, path=tmp_path / name, **settings)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_without_a_path_the_file_goes_with_the_index() -> None:
    index = VectorIndex.build(unit_rows(10))
    path = index.info().path
    assert path.exists()
    del index
    assert not path.exists()


def test_threads_and_runs_change_nothing_and_seeds_do(tmp_path: Path) -> None:
    vectors, queries = unit_rows(3000), unit_rows(300, seed=1)
    builds = {"one": (1, 0), "three": (3, 0), "other": (2, 7)}
    for name, (threads, seed) in builds.items():
        VectorIndex.build(vectors, queries, path=tmp_path / name, threads=threads, seed=seed, nlist=40)
    files = {name: (tmp_path / name).read_bytes() for name in builds}
    assert files["one"] == files["three"]
    assert files["one"] != files["other"]


@pytest.mark.parametrize("refine", ["int8", "int4", "tcq3", "tcq2", "none"])
@pytest.mark.parametrize("transform", ["identity", "pca", "query-0.25", "query-0.5"])
@pytest.mark.filterwarnings("ignore::snapseek.vectors.EffortWarning")  # the most thorough search will do
def test_refine_codecs_and_transforms(refine: Any, transform: Any, tmp_path: Path) -> None:
    vectors = unit_rows(1000)
    index = VectorIndex.build(vectors, path=tmp_path / "a.snap", refine=refine, transform=transform, m=8)
    info = index.info()
    assert (info.refine, info.transform, info.m) == (refine, transform, 8)
    found = index.search(vectors[:100], k=1, effort="max")[0][:, 0]
    assert np.mean(found == np.arange(100)) > 0.9
    index.verify()


def test_memory_bounds_the_file(tmp_path: Path) -> None:
    vectors = unit_rows(3000, 64)
    sizes = []
    for limit in ("400kB", "250kB", "150 KB", 120_000, 80_000):
        info = VectorIndex.build(vectors, path=tmp_path / "a.snap", memory=limit, seed=3).info()
        assert info.size_bytes <= memory_limit(limit)
        sizes.append((info.kind, info.refine))
    assert sizes == [("flat", "int8"), ("ivf", "bst6"), ("ivf", "bst3"), ("ivf", "bst2"), ("ivf", "none")]


@pytest.mark.parametrize(
    ("size", "expected"),
    [("100MB", 10**8), ("1.5 GiB", 3 * 2**29), ("7", 7), (12, 12), ("2k", 2000), ("1Tb", 10**12)],
)
def test_memory_sizes_are_parsed(size: str | int, expected: int) -> None:
    assert memory_limit(size) == expected


# --- exactness


@st.composite
def rows_with_ties(draw: st.DrawFn) -> tuple[reference.F32, reference.F32]:
    dim = draw(st.integers(1, 20))
    values = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0])
    distinct = draw(hnp.arrays(np.float32, (draw(st.integers(1, 8)), dim), elements=values))
    rows = distinct[
        draw(hnp.arrays(np.int64, draw(st.integers(0, 60)), elements=st.integers(0, len(distinct) - 1)))
    ]
    queries = draw(hnp.arrays(np.float32, (draw(st.integers(1, 3)), dim), elements=values))
    return rows, queries


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pair=rows_with_ties(), k=st.integers(0, 70), data=st.data())
def test_exact_equals_the_oracle(
    pair: tuple[reference.F32, reference.F32], k: int, data: st.DataObject
) -> None:
    rows, queries = pair
    ids = np.array(data.draw(st.permutations(range(len(rows)))), np.int64)
    allow = data.draw(st.none() | hnp.arrays(np.bool_, len(rows)))
    by_id = rows[np.argsort(ids)]
    expected_ids, expected_scores = reference.search(by_id, queries, k, allow)
    found_ids, scores = VectorIndex.build(rows, ids=ids).search(queries, k, allow=allow, exact=True)
    np.testing.assert_array_equal(found_ids, expected_ids)
    np.testing.assert_array_equal(scores, expected_scores)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pair=rows_with_ties(), k=st.integers(0, 70), data=st.data())
def test_exact_search_of_an_ivf_index_equals_brute_force(
    pair: tuple[reference.F32, reference.F32], k: int, data: st.DataObject
) -> None:
    rows, queries = pair
    allow = data.draw(st.none() | hnp.arrays(np.bool_, len(rows)))
    index = VectorIndex.build(rows, nlist=min(4, max(1, len(rows))))
    ids, scores = index.search(queries, k, allow=allow, exact=True)
    products = queries @ rows.T
    allowed = np.arange(len(rows)) if allow is None else np.flatnonzero(allow)
    assert ids.shape == (len(queries), min(k, len(allowed)))
    best = -np.sort(-products[:, allowed], axis=1)[:, :k]
    np.testing.assert_allclose(scores, best, atol=0.05 * max(1, rows.shape[1] ** 0.5))
    assert all(set(row) <= set(allowed.tolist()) and len(set(row)) == len(row) for row in ids.tolist())
    # Equal rows lie in the order of their ids.
    for row, score in zip(ids, scores, strict=True):
        same = (np.diff(score) == 0) & (rows[row[:-1]] == rows[row[1:]]).all(axis=1)
        assert (np.diff(row)[same] > 0).all()


# --- stopping


@pytest.mark.parametrize("settings", [{}, LISTS])
def test_what_progress_raises_ends_the_build(settings: Any, tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    def stop(stage: str, share: float) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        VectorIndex.build(unit_rows(2000), path=tmp_path / "a.snap", progress=stop, **settings)
    assert names(tmp_path) == []


def test_progress_reports_every_stage(tmp_path: Path) -> None:
    heard: list[tuple[str, float]] = []
    VectorIndex.build(
        unit_rows(2000), path=tmp_path / "a.snap", progress=lambda *step: heard.append(step), **LISTS
    )
    stages = list(dict.fromkeys(stage for stage, _ in heard))
    assert stages == ["lists", "assign", "means", "codes", "write", "calibrate"]
    assert all(0 <= share <= 1.000001 for _, share in heard)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_the_build(tmp_path: Path) -> None:
    script = """
        import os, signal, sys, threading
        import numpy as np
        from snapseek import VectorIndex
        vectors = np.random.default_rng(0).standard_normal((60_000, 64)).astype(np.float32)
        stopper = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT))
        def begun(stage, done):  # the build is under way; the signal comes while the core works
            if stopper.ident is None:
                stopper.start()
        try:
            VectorIndex.build(vectors, path=sys.argv[1], progress=begun)
        except KeyboardInterrupt:
            print("stopped")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "a.snap")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.returncode) == ("stopped\n", 0), done.stderr
    assert names(tmp_path) == []


# --- recall


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::snapseek.vectors.EffortWarning")  # the most thorough search will do
def test_recall_on_clip_like_rows(tmp_path: Path) -> None:
    model = clip_like.ClipLike(dim=96, coarse=100, leaves=3000)
    base = model.images(FLAT_ROWS + 10_000).astype(np.float16)
    learnt, text, image = (
        part.astype(np.float32) for part in (model.texts(2000), model.texts(200), model.images(200))
    )
    index = VectorIndex.build(base, learnt, path=tmp_path / "a.snap")
    info = index.info()
    assert info.kind == "ivf"
    assert info.nlist > 200
    for queries, target in ((text, 0.90), (image, 0.95)):
        found = index.search(queries, effort=0.95)[0]
        assert recall(found, clip_like.exact(base, queries, k=10)) >= target
    found = index.search(text, effort="max")[0]
    assert recall(found, clip_like.exact(base, text, k=10)) >= 0.97


def test_signal_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGINT)
    VectorIndex.build(unit_rows(10))
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("settings", [{}, LISTS])
def test_float16_queries(settings: Any) -> None:
    index = VectorIndex.build(unit_rows(400), unit_rows(200, seed=1), **settings)
    halves = unit_rows(3, seed=2).astype(np.float16)
    for queries in (halves, halves[0]):
        for found, expected in zip(
            index.search(queries), index.search(queries.astype(np.float32)), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("settings", [{}, LISTS])
def test_a_pickled_index_is_opened_again(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    index = VectorIndex.build(unit_rows(400), unit_rows(200, seed=1), path="a.snap", **settings)
    sent = pickle.dumps(index)
    monkeypatch.chdir("/")
    for found, expected in zip(
        pickle.loads(sent).search(unit_rows(3)), index.search(unit_rows(3)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(TypeError, match="path="):
        pickle.dumps(VectorIndex.build(unit_rows(400)))
