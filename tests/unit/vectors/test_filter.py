"""`allow` and `VectorIndex.filter`: ids, flags, bits and prepared filters."""

import threading
from pathlib import Path

import numpy as np
import pytest

from snapseek import VectorIndex
from snapseek.errors import InputError, WrongIndexError
from tests.support.vector_rows import LISTS, unit_rows


@pytest.fixture(scope="module", params=[{}, LISTS])
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    """2,000 rows with every second id from 100, in shuffled order."""
    ids = 100 + 2 * np.random.default_rng(4).permutation(2000)
    path = tmp_path_factory.mktemp("filter") / "a"
    return VectorIndex.build(unit_rows(2000), path=path, ids=ids, **request.param)


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.1, 0.5, 1])
def test_ids_flags_bits_and_filters_find_the_same(index: VectorIndex, share: float) -> None:
    rng = np.random.default_rng(1)
    flags = rng.random(int(index.ids().max()) + 1) < share
    allowed = np.flatnonzero(flags & np.isin(np.arange(len(flags)), index.ids()))
    bits = np.packbits(flags, bitorder="little")
    prepared = [index.filter(allow) for allow in (allowed, flags, bits)]
    prepared.append(index.filter(np.isin(index.ids(), allowed), by_row=True))
    assert {len(one) for one in prepared} == {len(allowed)}
    assert repr(prepared[0]) == f"Filter({len(allowed)} rows)"
    queries = unit_rows(5, seed=3)
    expected = index.search(queries, 10, allow=allowed)
    assert np.isin(expected[0], allowed).all()
    for allow in (flags, bits, *prepared):
        for a, b in zip(index.search(queries, 10, allow=allow), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_filter_serves_many_threads(index: VectorIndex) -> None:
    allow = index.filter(index.ids()[::3])
    query = unit_rows(1, seed=5)
    expected = index.search(query, 10, allow=allow)[0].tolist()
    found: list[object] = []
    search = [
        threading.Thread(target=lambda: found.append(index.search(query, 10, allow=allow)[0].tolist()))
        for _ in range(8)
    ]
    for thread in search:
        thread.start()
    for thread in search:
        thread.join()
    assert found == [expected] * 8


def test_results_stay_the_same_while_threads_search_with_one_filter(index: VectorIndex) -> None:
    """After some searches with few allowed rows, one of the threads copies their codes."""
    allowed = index.ids()[::10]
    queries = unit_rows(30, seed=6)
    expected = [index.search(query, 10, allow=allowed)[0].tolist() for query in queries]
    allow = index.filter(allowed)
    found: list[object] = []

    def search() -> None:
        found.append([index.search(query, 10, allow=allow)[0].tolist() for query in queries])

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_a_filter_of_another_index_is_refused(index: VectorIndex, tmp_path: Path) -> None:
    for settings in ({}, LISTS):
        other = VectorIndex.build(unit_rows(2000), path=tmp_path / "b", **settings)
        with pytest.raises(WrongIndexError):
            index.search(unit_rows(1), allow=other.filter(other.ids()[:3]))


def test_bits_of_another_length_or_shape_are_refused(index: VectorIndex) -> None:
    size = -(-(int(index.ids().max()) + 1) // 8)
    for allow in (np.zeros(size - 1, np.uint8), np.zeros(size + 1, np.uint8), np.zeros((size, 1), np.uint8)):
        with pytest.raises(InputError, match="allow"):
            index.filter(allow)


def test_a_filter_does_not_follow_its_array(index: VectorIndex) -> None:
    flags = np.ones(len(index), np.bool_)
    allow = index.filter(flags, by_row=True)
    flags[:] = False
    assert index.search(unit_rows(1), 10, allow=allow)[0].shape == (1, 10)
