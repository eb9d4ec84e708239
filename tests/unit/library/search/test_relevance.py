import numpy as np
import pytest

from snapseek.library.search.relevance import relevant_count, threshold_of


def test_the_first_place_below_the_threshold():
    assert relevant_count([0.9, 0.5, 0.2, 0.1], 0.3) == 2
    assert relevant_count([0.9, 0.5], 0.3) is None
    assert relevant_count([0.2], 0.3) == 0
    assert relevant_count([None, 0.2], 0.3) == 1
    assert relevant_count([], 0.3) is None


def test_three_of_four_ordinary_queries_find_better():
    best = np.linspace(0.1, 0.5, 41).astype(np.float32)
    assert threshold_of(best, [(0.1, 0.1)] * 41) == pytest.approx(1.0, abs=0.01)
    assert threshold_of(best, [None] * 30 + [(0.0, 0.1)] * 11) is None


def test_a_library_of_few_pictures_has_no_mark(library):
    assert library.search("red", 6).relevant_count is None
