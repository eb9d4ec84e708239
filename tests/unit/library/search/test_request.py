import pytest

from snapseek.errors import InputError
from snapseek.library.filters.ast import And, Condition
from snapseek.library.search.request import SearchRequest
from snapseek.library.search.terms import Term

KINDS = {"tags": "list", "rating": "number"}


def test_words_and_filters_are_told_apart():
    asked = SearchRequest("horse tag:a + 2:stripes - snow").read(KINDS)
    assert asked.terms == (Term("horse"), Term("stripes", 2), Term("snow", -1))
    assert asked.filters == ("tag:a",)
    assert asked.tree == Condition("tags", "=", "a")
    assert asked.words == "horse stripes"


def test_filters_of_the_query_and_of_where_hold_both():
    both = SearchRequest("dog tag:a", where={"rating": {">": 3}}).read(KINDS)
    assert both.tree == And((Condition("rating", ">", 3), Condition("tags", "=", "a")))
    assert both.filters == ("tag:a",)
    assert SearchRequest("dog", where="rating:>3 tag:a").read(KINDS).tree == both.tree
    assert SearchRequest("dog rating:>3 tag:a").read(KINDS).tree == both.tree


def test_texts_of_a_list_and_queries_without_filters_stay_as_they_are():
    assert SearchRequest(["dog tag:a"]).read(KINDS).terms == (Term("dog tag:a"),)
    assert SearchRequest("  a  photo  ").read(KINDS).terms == (Term("a  photo"),)
    assert SearchRequest("a dog", where={}).read(KINDS).tree is None


@pytest.mark.parametrize("query", [None, "", "  ", "tag:a"])
def test_filters_alone_list_what_matches(query):
    assert SearchRequest(query, where="rating:1").read(KINDS).terms == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "found an empty query"),
        ({"query": ""}, "found an empty query"),
        ({"query": [], "where": "tag:a"}, "expected 1 to 16 terms"),
        ({"query": "x" * 1001}, "at most 1000 characters, found 1001"),
        ({"query": "dog", "where": 5}, "filter as text or as a mapping, found int"),
        ({"query": "dog", "where": "a cat"}, "found 'a cat'"),
        ({"query": "dog", "where": {"nothing": 1}}, "expected a column"),
        ({"query": "dog", "k": 0}, "k of at least 1, found 0"),
        ({"query": "dog", "k": "3"}, "k of at least 1, found '3'"),
        ({"query": "dog", "offset": -1}, "offset of at least 0"),
        ({"query": "dog", "sort": "random"}, "sort to be one of relevance, newest, oldest, size"),
        ({"query": "dog", "mode": "all"}, "mode to be one of clip, words, both"),
        ({"query": "dog", "min_score": float("nan")}, "min_score to be a number"),
        ({"query": "dog", "min_score": 0.1, "mode": "words"}, "min_score with mode clip or both"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        SearchRequest(**arguments).read(KINDS)
