"""snapseek.library.columns.column_index; integration/test_filters.py compares them with an oracle."""

import numpy as np
import pytest

from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.columns.numeric import NumericIndex
from snapseek.library.columns.term_dictionary import TermDictionary

EVERY = np.zeros(0, np.bool_)


def test_whole_numbers_are_compared_exactly():
    big = NumericIndex(np.array([2**60, 2**60 + 1, -(2**63)]), EVERY)
    assert big.mask("=", 2**60 + 1).tolist() == [False, True, False]
    assert big.mask(">", 2.0**60).tolist() == [False, True, False]
    small = NumericIndex(np.array([0, 127, -128], np.int8), EVERY)
    assert small.mask("<", 200).all()
    assert small.mask(">=", -(10**30)).all()
    assert not small.mask("=", 128).any()
    assert not small.mask("=", -(10**30)).any()
    assert not small.mask(">", 1e300).any()
    assert small.mask("<=", 126.5).tolist() == [True, False, True]
    assert small.mask("in", (127, 0.5)).tolist() == [False, True, False]


def test_a_missing_number_fulfils_no_condition():
    facet = NumericIndex(np.array([1.0, 0.0, np.nan], np.float32), np.array([True, False, False]))
    for operator in ("=", "<", "<=", ">", ">="):
        assert facet.mask(operator, 0.0).tolist()[1:] == [False, False]
    assert facet.mask("exists", True).tolist() == [True, False, False]
    assert facet.mask("<", 10**300).tolist() == [True, False, False]
    assert facet.mask("<", 1e300).tolist() == [True, False, False]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_dictionary_masks_for_any_number_of_codes(kind):
    texts = [f"{number:03}" for number in range(40)]
    vocabulary = TermDictionary.of(texts)
    codes = np.array([0, 1, 40, *range(41)], kind)
    facet = DictionaryIndex(codes, vocabulary.text, vocabulary.ends, vocabulary.text, vocabulary.ends)
    for wanted in (("005",), ("005", "030"), tuple(texts[::3]), ("none",), ("007", "008", "009")):
        expected = [code > 0 and texts[code - 1] in wanted for code in codes.tolist()]
        assert facet.mask("in", wanted).tolist() == expected
    assert facet.mask("exists", True).tolist() == (codes > 0).tolist()
    assert facet.counts().tolist() == np.bincount(codes, minlength=41)[1:].tolist()
    assert facet.counts(codes == 1).tolist() == [2] + [0] * 39


def test_codes_without_a_text_are_refused():
    vocabulary = TermDictionary.of(["a"])
    with pytest.raises(ValueError, match="codes beyond"):
        DictionaryIndex(
            np.array([2], np.uint8), vocabulary.text, vocabulary.ends, vocabulary.text, vocabulary.ends
        )


def test_counts_of_masked_rows():
    vocabulary = TermDictionary.of(["a", "b", "c"])
    facet = LabelListIndex(
        np.array([0, 2, 2, 3]),
        np.array([0, 3, 1], np.int32),
        np.array([True, True, False, True]),
        *[vocabulary.text, vocabulary.ends] * 2,
    )
    assert facet.counts().tolist() == [2, 0, 1]
    assert facet.counts(np.array([True, False, True, True])).tolist() == [2, 0, 0]
    assert facet.mask("in", ("b", "c")).tolist() == [False, True, False, False]
