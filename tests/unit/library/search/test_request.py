import pytest

from snapseek.errors import InputError
from snapseek.library.filters.ast import And, Condition
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.search.terms import Term
from snapseek.search_request import SearchRequest

KINDS = {"tags": "list", "rating": "number"}


def test_words_and_filters_are_separated():
    resolved = ResolvedRequest.of(SearchRequest("horse tag:a + 2:stripes - snow"), KINDS)
    assert resolved.terms == (Term("horse"), Term("stripes", 2), Term("snow", -1))
    assert resolved.filters == ("tag:a",)
    assert resolved.tree == Condition("tags", "=", "a")
    assert resolved.words == "horse stripes"


def test_filters_of_the_query_and_of_where_hold_both():
    both = ResolvedRequest.of(SearchRequest("dog tag:a", where={"rating": {">": 3}}), KINDS)
    assert both.tree == And((Condition("rating", ">", 3), Condition("tags", "=", "a")))
    assert both.filters == ("tag:a",)
    assert ResolvedRequest.of(SearchRequest("dog", where="rating:>3 tag:a"), KINDS).tree == both.tree
    assert ResolvedRequest.of(SearchRequest("dog rating:>3 tag:a"), KINDS).tree == both.tree


def test_texts_of_a_list_and_queries_without_filters_stay_as_they_are():
    assert ResolvedRequest.of(SearchRequest(["dog tag:a"]), KINDS).terms == (Term("dog tag:a"),)
    assert ResolvedRequest.of(SearchRequest("  a  photo  "), KINDS).terms == (Term("a  photo"),)
    assert ResolvedRequest.of(SearchRequest("a dog", where={}), KINDS).tree is None


@pytest.mark.parametrize("query", [None, "", "  ", "tag:a"])
def test_filters_alone_list_what_matches(query):
    assert ResolvedRequest.of(SearchRequest(query, where="rating:1"), KINDS).terms == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "got none; enter at least one word"),
        ({"query": ""}, "got none; enter at least one word"),
        ({"query": [], "where": "tag:a"}, "expected 1 to 16 terms"),
        ({"query": "x" * 1001}, "at most 1000 characters, got 1001"),
        ({"query": "dog", "where": 5}, "filter as text or as a mapping, got int"),
        ({"query": "dog", "where": "a cat"}, "got 'a cat'"),
        ({"query": "dog", "where": {"nothing": 1}}, "expected a column"),
        ({"query": "dog", "limit": 0}, "limit to be an integer of 1 or more, got 0"),
        ({"query": "dog", "limit": "3"}, "limit to be an integer of 1 or more, got '3'"),
        ({"query": "dog", "offset": -1}, "offset to be an integer of 0 or more"),
        ({"query": "dog", "sort": "random"}, "sort to be one of relevance, newest, oldest, size"),
        ({"query": "dog", "mode": "all"}, "mode to be one of clip, words, both"),
        ({"query": "dog", "min_score": float("nan")}, "min_score to be a finite number"),
        ({"query": "dog", "min_score": 0.1, "mode": "words"}, "min_score with mode clip or both"),
    ],
)
def test_a_malformed_request_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        ResolvedRequest.of(SearchRequest(**arguments), KINDS)
