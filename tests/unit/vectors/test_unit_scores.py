"""Scores that rounding carries past 1: they are 1, and such ties are in order of id."""

import numpy as np
import pytest

from snapseek.vectors.index import VectorIndex
from tests.support.vector_rows import LISTS, unit_rows


def index_of_near_copies(tmp_path, seed, settings):
    """Return an index of 2,000 unit rows, its rows and its ids; the first 300 rows differ by little."""
    rng = np.random.default_rng(seed)
    rows = unit_rows(2000)
    rows[:300] = rows[0] + 0.0005 * rng.normal(size=(300, rows.shape[1])).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    ids = rng.permutation(5000)[:2000].astype(np.int64)
    return VectorIndex.build(rows, path=tmp_path / "a.snap", ids=ids, **settings), rows, ids


@pytest.mark.parametrize("settings", [{}, LISTS], ids=["flat", "lists"])
def test_ties_at_one_are_in_order_of_id(tmp_path, settings):
    index, rows, _ = index_of_near_copies(tmp_path, 7, settings)
    ties = 0
    for query in rows[:300:10]:
        found, scores = index.search(query[None], 300, exact=True)
        pairs = list(zip((-scores[0]).tolist(), found[0].tolist(), strict=True))
        assert scores.max() <= 1.0
        assert pairs == sorted(pairs)
        ties = max(ties, int((scores[0] == 1.0).sum()))
    assert ties > 5


@pytest.mark.parametrize("settings", [{}, LISTS], ids=["flat", "lists"])
@pytest.mark.parametrize("exact", [False, True])
def test_few_of_many_ties_at_one_are_those_of_the_lowest_ids(tmp_path, settings, exact):
    index, rows, ids = index_of_near_copies(tmp_path, 8, settings)
    allow = index.filter(ids[::2])
    cut = 0
    for query in rows[:300:10]:
        for allowed in (None, allow):  # up to 10 hits the search has the same effort
            found, scores = index.search(query[None], 60 if exact else 10, exact=exact, allow=allowed)
            for k in (1, 2, 5, 9):
                best, best_scores = index.search(query[None], k, exact=exact, allow=allowed)
                assert best[0].tolist() == found[0, :k].tolist()
                assert best_scores[0].tolist() == scores[0, :k].tolist()
                cut += bool(scores[0, k] == 1.0)
    assert cut > 10
