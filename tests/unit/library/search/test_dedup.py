import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snapseek.library.search.dedup import DuplicateGroup, duplicate_groups, products
from snapseek.library.search.rrf import reciprocal_rank_fusion
from tests.support.vector_rows import unit_rows


def greedy(vectors, least):
    """The obvious way."""
    shown: dict[int, list[int]] = {}
    for place, vector in enumerate(vectors):
        above = next((first for first in shown if vectors[first] @ vector >= least), None)
        if above is None:
            shown[place] = []
        else:
            shown[above].append(place)
    return [DuplicateGroup(place, tuple(similar)) for place, similar in shown.items()]


def unit(rng, rows):
    vectors = rng.standard_normal((rows, 3)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(seed=st.integers(0, 2**32), rows=st.integers(0, 400), least=st.sampled_from([0.5, 0.9, 0.99]))
def test_folding_is_greedy_from_the_best_on(seed, rows, least):
    vectors = unit(np.random.default_rng(seed), rows)
    folds = duplicate_groups(vectors, least)
    assert folds == greedy(vectors, least)
    shorter = [fold.place for fold in duplicate_groups(vectors[: rows // 2], least)]
    assert [fold.place for fold in folds][: len(shorter)] == shorter


def test_nothing_is_lost():
    vectors = unit(np.random.default_rng(0), 300)
    folds = duplicate_groups(vectors, 0.9)
    assert sorted(place for fold in folds for place in (fold.place, *fold.similar)) == list(range(300))


def test_two_rankings_become_one():
    assert reciprocal_rank_fusion([[1, 2, 3], [3, 4]]) == [3, 1, 2, 4]
    assert reciprocal_rank_fusion([[1, 2], [2, 1]]) == [1, 2]
    assert reciprocal_rank_fusion([[5, 6], []]) == [5, 6]
    assert reciprocal_rank_fusion([]) == []


def test_products_are_those_of_every_row_with_every_row():
    for count, dim in ((1, 1), (15, 3), (400, 512), (333, 700), (17, 4096)):
        vectors = unit_rows(count, dim=dim)
        for left in (vectors[:16], vectors[-3:]):
            np.testing.assert_allclose(products(left, vectors), left @ vectors.T, atol=1e-5)
