import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapseek.library.columns import term_dictionary
from snapseek.library.columns.term_dictionary import TermDictionary

TEXTS = ["", "2019/holiday", "a", "ab", "b", "beach", "holiday", "holiday/x", "red gate", "é", "海"]


@pytest.fixture(scope="module")
def vocabulary():
    return TermDictionary.of(sorted(TEXTS, key=str.encode))


def test_the_dictionary_is_a_sequence_of_texts(vocabulary):
    assert [text.decode() for text in vocabulary] == vocabulary.array().to_pylist() == sorted(TEXTS)
    with pytest.raises(IndexError):
        vocabulary[len(TEXTS)]


@given(value=st.sampled_from([*TEXTS, "aa", "z", "holi", "hol*"]))
def test_comparisons_are_those_of_bytes(vocabulary, value):
    holds = {
        "=": lambda text: text == value,
        "<": lambda text: text.encode() < value.encode(),
        "<=": lambda text: text.encode() <= value.encode(),
        ">": lambda text: text.encode() > value.encode(),
        ">=": lambda text: text.encode() >= value.encode(),
        "prefix": lambda text: text.startswith(value),
    }
    for operator, is_so in holds.items():
        found = [vocabulary[code].decode() for code in vocabulary.codes(operator, value)]
        assert found == [text for text in sorted(TEXTS, key=str.encode) if is_so(text)], operator


def test_words_and_folders(vocabulary):
    def found(operator, value):
        return [vocabulary[code].decode() for code in vocabulary.codes(operator, value)]

    assert (
        found("contains", "red") == found("contains", "red ga*") == found("contains", "gate") == ["red gate"]
    )
    assert found("contains", "re") == []
    assert found("contains", "holiday x") == ["holiday/x"]
    assert found("within", "holiday") == ["2019/holiday", "holiday", "holiday/x"]
    assert found("within", "/holiday/") == ["holiday", "holiday/x"]
    assert found("within", "holi") == []
    assert found("within", "gate") == ["red gate"]
    assert found("within", "red gate") == ["red gate"]
    assert found("within", "/gate") == found("within", "2019/gate") == []
    assert len(found("within", "/")) == len(TEXTS)


def test_a_vocabulary_may_be_empty():
    nothing = TermDictionary.of([])
    assert len(nothing) == 0
    assert nothing.codes("=", "a").tolist() == nothing.codes("contains", "a").tolist() == []
    assert nothing.span("a") == (0, 0)


@pytest.mark.parametrize("max_inverted", [0, 1000])
def test_the_texts_with_a_word_are_those_that_contain_it(monkeypatch, max_inverted):
    monkeypatch.setattr(term_dictionary, "_MAX_INVERTED", max_inverted)
    texts = sorted(["", "a", "a a", "trips/italy 2019", "trips/spain", "北京 trip", "trips", "x-trips_y"])
    terms = TermDictionary.of(texts)
    for word in ("a", "trips", "trip", "italy", "2019", "北", "京", "y", "zebra"):
        assert terms.codes_with_word(word).tolist() == terms.codes("contains", word).tolist(), word


def test_a_text_is_found_by_its_code():
    terms = TermDictionary.of(["", "a", "ab", "b", "é"])
    assert [terms.code_of(text) for text in ("", "a", "ab", "b", "é")] == [0, 1, 2, 3, 4]
    assert [terms.code_of(text) for text in ("aa", "c", "z", "ê")] == [None] * 4
    assert TermDictionary.of([]).code_of("a") is None
