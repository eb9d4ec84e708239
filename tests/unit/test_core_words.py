"""The functions of the compiled core that search by words."""

import numpy as np
import pytest

from snapseek._core import best_rows_by_words, unite_rows
from snapseek.errors import InputError

ONE = np.zeros(8, np.uint8)
WEIGHT = np.ones(1, np.float32)


def bits_of(flags):
    bits = np.zeros(-(-len(flags) // 64) * 8, np.uint8)
    bits[: -(-len(flags) // 8)] = np.packbits(np.array(flags, np.bool_))
    return bits


def test_the_best_rows_have_more_and_heavier_words():
    first, second = [1, 0, 1, 0, 1, 0], [0, 1, 1, 0, 1, 0]
    weights = np.array([1, 2], np.float32)
    words = [bits_of(first), bits_of(second)]
    rows, scores = best_rows_by_words(words, weights, 9, rows=6)
    assert (rows.tolist(), scores.tolist()) == ([2, 4, 1, 0], [3, 3, 2, 1])
    ids = np.array([5, 4, 3, 2, 1, 0])
    assert best_rows_by_words(words, weights, 1, rows=6, ids=ids)[0].tolist() == [4]
    within = bits_of([1, 1, 0, 1, 0, 1])
    assert best_rows_by_words(words, weights, 9, rows=6, within=within)[0].tolist() == [1, 0]


def test_a_length_without_a_factor_is_not_found():
    lengths, factors = np.array([0, 1, 2], np.uint16), np.array([1, 0.5], np.float32)
    found = best_rows_by_words([bits_of([1, 1, 1])], WEIGHT, 9, rows=3, lengths=lengths, factors=factors)
    assert [part.tolist() for part in found] == [[0, 1], [1.0, 0.5]]


@pytest.mark.parametrize(
    ("words", "weights", "options", "message"),
    [
        ([ONE[:7]], WEIGHT, {}, r"words must be shape \(8,\)"),
        ([ONE.astype(np.int8)], WEIGHT, {}, "words must be a NumPy array of uint8"),
        ([ONE] * 65, np.ones(65, np.float32), {}, "words must be 64 arrays at most"),
        ([ONE], np.ones(2, np.float32), {}, r"weights must be shape \(1,\)"),
        ([ONE], np.ones(1), {}, "weights must be a NumPy array of float32"),
        ([ONE], WEIGHT, {"within": ONE[:4]}, r"within must be shape \(8,\)"),
        ([ONE], WEIGHT, {"lengths": np.zeros(9, np.uint16)}, "lengths must be passed together with factors"),
        ([ONE], WEIGHT, {"factors": WEIGHT}, "lengths must be passed together with factors"),
        ([ONE], WEIGHT, {"ids": np.arange(3)}, "ids must be 9 numbers"),
        ([ONE], WEIGHT, {"rows": -1}, "rows must be a whole number"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(words, weights, options, message):
    with pytest.raises(InputError, match=message):
        best_rows_by_words(words, weights, 3, **{"rows": 9, **options})


def test_lists_and_bitmaps_are_united():
    lists = [np.array([0, 9], np.int32), np.array([-1, 70, 2**31 - 1], np.int32)]
    found = unite_rows(66, lists, [np.array([0, 0, 1, 255], np.uint8), np.full(9, 3, np.uint8)])
    assert len(found) == 16
    rows = set(np.flatnonzero(np.unpackbits(found)).tolist())
    assert rows == {0, 9, *range(23, 32), *(row for row in range(66) if row % 8 > 5)}
    with pytest.raises(InputError, match="lists must be a NumPy array of int32"):
        unite_rows(9, [np.arange(3)], [])
