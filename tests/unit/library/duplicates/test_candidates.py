"""Pairs of vectors with a high cosine, without comparing all with all."""

import numpy as np
import pytest

from snapseek.cancellation import OperationCancelledError
from snapseek.library.duplicates import candidates
from snapseek.library.duplicates.candidates import neighbours
from tests.support.vector_rows import unit_rows


def twins(count, dim=24, seed=1):
    """Return rows of which each has a near twin `count` rows later."""
    rows = unit_rows(count, dim, seed=seed)
    others = rows + 0.05 * unit_rows(count, dim, seed=seed + 1)
    return np.concatenate([rows, others / np.linalg.norm(others, axis=1, keepdims=True)]).astype(np.float32)


@pytest.mark.parametrize("block", [7, 1024])
def test_all_pairs_of_a_few_rows_are_found_from_both_sides(monkeypatch, block):
    monkeypatch.setattr(candidates, "_BLOCK_ROWS", block)
    rows = unit_rows(60, 4, seed=3)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -1)
    found = neighbours(rows, 0.8)
    pairs = {(first, second) for first, others in found.items() for second in others}
    assert pairs == set(zip(*(part.tolist() for part in np.nonzero(cosines >= 0.8)), strict=True))
    assert all(found[a][b] == pytest.approx(cosines[a, b], abs=1e-5) for a, b in pairs)


def test_buckets_find_nearly_all_near_pairs(monkeypatch):
    monkeypatch.setattr(candidates, "EXACT_ROWS", 100)
    rows = twins(600)
    found = neighbours(rows, 0.9)
    twin_found = sum(row + 600 in found.get(row, {}) for row in range(600))
    assert twin_found >= 0.97 * 600
    assert all(rows[a] @ rows[b] >= 0.899 and a != b for a, others in found.items() for b in others)


def test_a_row_with_many_alike_keeps_the_nearest():
    rows = np.repeat(unit_rows(1, 5), 100, axis=0)
    assert all(len(others) >= candidates.MAX_NEIGHBOURS for others in neighbours(rows, 0.9).values())
    assert sum(map(len, neighbours(rows, 0.9).values())) <= 2 * 100 * candidates.MAX_NEIGHBOURS


def test_no_rows_have_no_pairs():
    assert neighbours(np.zeros((0, 3), np.float32), 0.9) == {}
    assert neighbours(unit_rows(1, 3), -1) == {}


def test_an_unwanted_result_is_cancelled(monkeypatch):
    def cancelled():
        raise OperationCancelledError

    monkeypatch.setattr(candidates, "check_cancelled", cancelled)
    with pytest.raises(OperationCancelledError):
        neighbours(unit_rows(5, 3), 0.9)
