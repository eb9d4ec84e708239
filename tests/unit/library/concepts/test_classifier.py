"""A direction is trained from a few examples, with the name's words as a prior."""

import numpy as np
import pytest

from snapseek.library.concepts.classifier import train
from tests.support.vector_rows import unit_rows

DIM = 32
BACKGROUND = unit_rows(132, DIM, seed=1)
NO_ROWS = np.zeros((0, DIM), np.float32)


def near(direction, count, seed, spread=0.5):
    rows = direction + spread * unit_rows(count, DIM, seed=seed)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def axis(number):
    return np.eye(DIM, dtype=np.float32)[number]


def share_found(concept, right, others):
    scores = np.concatenate([right, others]) @ concept.vector
    return float((np.argsort(-scores)[: len(right)] < len(right)).mean())


def test_a_name_without_meaning_is_learned_from_the_examples():
    others = unit_rows(400, DIM, seed=3)
    concept = train(near(axis(0), 5, 2), NO_ROWS, BACKGROUND, -axis(0))
    assert share_found(concept, near(axis(0), 30, 4), others) == 1
    assert np.linalg.norm(concept.vector) == pytest.approx(1, abs=1e-5)


def test_words_that_the_examples_confirm_count():
    examples = near(axis(0) + axis(1), 3, 2, spread=1)
    with_words = train(examples, NO_ROWS, BACKGROUND, axis(0))
    without = train(examples, NO_ROWS, BACKGROUND, None)
    assert with_words.vector @ axis(0) > without.vector @ axis(0) + 0.1


def test_a_counterexample_moves_the_direction_away():
    examples, look_alike = near(axis(0), 4, 2), near(axis(0) + axis(1), 2, 5, spread=0.1)
    without = train(examples, NO_ROWS, BACKGROUND, None)
    concept = train(examples, look_alike, BACKGROUND, None)
    assert (concept.vector @ look_alike.T < without.vector @ look_alike.T).all()


def test_the_line_separates_further_pictures_from_others():
    concept = train(near(axis(0), 5, 2), near(axis(1), 3, 6), BACKGROUND, None)
    assert (near(axis(0), 50, 7) @ concept.vector >= concept.min_score).mean() > 0.9
    assert (unit_rows(500, DIM, seed=8) @ concept.vector >= concept.min_score).mean() < 0.03


def test_one_example_is_enough_for_a_line():
    concept = train(near(axis(0), 1, 2), NO_ROWS, BACKGROUND, None)
    assert (near(axis(0), 50, 7) @ concept.vector >= concept.min_score).mean() > 0.5
    assert (unit_rows(500, DIM, seed=8) @ concept.vector >= concept.min_score).mean() < 0.05


@pytest.mark.parametrize("background", [BACKGROUND[:1], near(axis(0), 1, 2)])
def test_a_background_of_one_picture_gives_finite_numbers(background):
    examples = near(axis(0), 1, 2)
    concept = train(examples, examples, background, axis(3))
    assert np.isfinite(concept.vector).all()
    assert np.isfinite(concept.min_score)
    assert np.linalg.norm(concept.vector) == pytest.approx(1, abs=1e-4)
