import numpy as np
import pytest

from snapseek.distil.ranking import cosines, heat_of, loss, overlap
from snapseek.distil.static import unit


def rows(n, seed, dim=6):
    return unit(np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32))


def test_who_says_the_same_loses_nothing():
    wanted, anchors = rows(5, 0), rows(9, 1)
    weights = np.ones(5, np.float32)
    assert loss(wanted, wanted, anchors, weights, 0.1) == pytest.approx(0, abs=1e-5)
    assert loss(rows(5, 2), wanted, anchors, weights, 0.1) > 1


def test_the_loss_by_hand():
    wanted, guess = np.array([[1, 0]], np.float32), np.array([[0, 1]], np.float32)
    anchors = np.array([[1, 0], [0, 1]], np.float32)
    # Softmax of (1, 0) against that of (0, 1): the divergence is the difference of the two shares.
    share = np.e / (1 + np.e)
    expected = 3 + share * 1 - (1 - share) * 1
    assert loss(guess, wanted, anchors, np.ones(1, np.float32), 1.0) == pytest.approx(expected, rel=1e-5)


def test_a_text_without_weight_does_not_count():
    wanted, anchors = rows(2, 0), rows(4, 1)
    guess = np.stack([wanted[0], -wanted[1]])
    assert loss(guess, wanted, anchors, np.array([1, 0], np.float32), 0.2) == pytest.approx(0, abs=1e-5)


def test_overlap_counts_shared_pictures_in_any_order():
    pictures = np.eye(4, dtype=np.float32)
    wanted = np.array([[4, 3, 2, 1]], np.float32)
    assert overlap(np.array([[3, 4, 1, 2]], np.float32), wanted, pictures, 2) == 1
    assert overlap(np.array([[4, 0, 1, 3]], np.float32), wanted, pictures, 2) == 0.5
    assert overlap(np.array([[0, 0, 3, 4]], np.float32), wanted, pictures, 2) == 0


def test_cosines_and_heat():
    wanted = rows(3, 0)
    np.testing.assert_allclose(cosines(wanted, wanted), 1, atol=1e-6)
    anchors = rows(50, 1)
    assert heat_of(wanted, anchors) == pytest.approx(0.5 * (wanted @ anchors.T).std(axis=1).mean())
    assert heat_of(wanted, np.ones((2, 6), np.float32)) > 0
