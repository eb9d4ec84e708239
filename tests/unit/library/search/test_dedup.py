import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from snapseek.library.search.dedup import (
    DuplicateGroup,
    duplicate_groups,
    products,
)
from snapseek.library.search.rrf import reciprocal_rank_fusion
from tests.support.vector_rows import unit_rows


def greedy(vectors, min_cosine):
    """Group near-duplicates in the obvious way."""
    shown: dict[int, list[int]] = {}
    for rank, vector in enumerate(vectors):
        leader = next((first for first in shown if vectors[first] @ vector >= min_cosine), None)
        if leader is None:
            shown[rank] = []
        else:
            shown[leader].append(rank)
    return [DuplicateGroup(rank, tuple(similar)) for rank, similar in shown.items()]


ROUNDING = 1e-6


def unit(rng, rows):
    vectors = rng.standard_normal((rows, 3)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(seed=st.integers(0, 2**32), rows=st.integers(0, 400), cosine=st.sampled_from([0.5, 0.9, 0.99]))
def test_groups_are_greedy_from_the_best_rank_on(seed, rows, cosine):
    vectors = unit(np.random.default_rng(seed), rows)
    distances = np.abs(vectors @ vectors.T - cosine)
    assume(float(distances.min(initial=1)) > ROUNDING)  # sums of another order differ in the last bits
    groups = duplicate_groups(vectors, cosine)
    assert groups == greedy(vectors, cosine)
    shorter = [group.first for group in duplicate_groups(vectors[: rows // 2], cosine)]
    assert [group.first for group in groups][: len(shorter)] == shorter


def test_every_rank_is_in_one_group():
    vectors = unit(np.random.default_rng(0), 300)
    groups = duplicate_groups(vectors, 0.9)
    assert sorted(rank for group in groups for rank in (group.first, *group.similar)) == list(range(300))


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


def test_only_confirmed_pictures_join_a_group():
    vectors = np.ones((4, 1), np.float32)
    pairs = {(0, 2), (1, 3)}
    groups = duplicate_groups(
        vectors, 0.96, lambda first, others, cosines: [other for other in others if (first, other) in pairs]
    )
    assert groups == [DuplicateGroup(0, (2,)), DuplicateGroup(1, (3,))]
