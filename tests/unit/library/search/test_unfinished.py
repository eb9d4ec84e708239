import pytest

from snapseek.errors import InputError, ParseError
from snapseek.library.filters.typecheck import STANDARD
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.search.unfinished import Unfinished
from snapseek.search_request import SearchRequest

KINDS = {**STANDARD, "licence": "text", "public": "flag", "score": "number"}


def _resolved(query: str) -> ResolvedRequest:
    return ResolvedRequest.of(SearchRequest(query), KINDS)


@pytest.mark.parametrize(
    ("query", "answered", "end"),
    [
        ("horse -", "horse", "-"),
        ("horse - ", "horse", "-"),
        ("horse +", "horse", "+"),
        ("horse + stripes - 2:", "horse + stripes", "- 2:"),
        ("-", "", "-"),
        ('"red car', '"red car"', '"red car'),
        ('horse - "red car', 'horse - "red car"', '- "red car'),
        ('horse tag:"red', "horse", 'tag:"red'),
        ('"', "", '"'),
        ("horse 2:", "horse", "2:"),
        ('horse -caption:~"red ga', "horse", '-caption:~"red ga'),
        ('horse tag:"a b","c', "horse", 'tag:"a b","c'),
        ("beach year:20", "beach", "year:20"),
        ("beach year:2019..20", "beach", "year:2019..20"),
        ("beach -year:>2", "beach", "-year:>2"),
        ("beach after:202", "beach", "after:202"),
        ("beach date:2024-", "beach", "date:2024-"),
        ("beach date:2024-0", "beach", "date:2024-0"),
        ("beach date:2024-06-0", "beach", "date:2024-06-0"),
        ("beach date:yest", "beach", "date:yest"),
        ("beach date:last-su", "beach", "date:last-su"),
        ("beach tag:", "beach", "tag:"),
        ("beach -tag:", "beach", "-tag:"),
        ("beach licence:", "beach", "licence:"),
        ("id:", "", "id:"),
        ("beach type:png,", "beach", "type:png,"),
        ("beach size:>", "beach", "size:>"),
        ("beach size:>2", "beach", "size:>2"),
        ("beach size:>2m", "beach", "size:>2m"),
        ("beach size:1mb..5", "beach", "size:1mb..5"),
        ("beach orientation:port", "beach", "orientation:port"),
        ("beach near:48.8", "beach", "near:48.8"),
        ("beach near:48.8,", "beach", "near:48.8,"),
        ("beach near:48.8,2.3,", "beach", "near:48.8,2.3,"),
        ("beach near:48.8,2.3,5k", "beach", "near:48.8,2.3,5k"),
        ("beach score:>", "beach", "score:>"),
        ("beach score:-", "beach", "score:-"),
        ("beach public:y", "beach", "public:y"),
        ("beach has:cam", "beach", "has:cam"),
        ("beach has:camera,", "beach", "has:camera,"),
        ("beach year:2020 tag:a -", "beach year:2020 tag:a", "-"),
    ],
)
def test_an_unfinished_end_is_left_out(query, answered, end):
    found = _resolved(query)
    assert found.unfinished.text == end
    assert found.unfinished.hint.endswith(".")
    if answered:
        expected = _resolved(answered)
        assert (found.terms, found.tree, expected.unfinished) == (expected.terms, expected.tree, None)
    else:
        assert (found.terms, found.tree) == ((), None)


@pytest.mark.parametrize(
    "query",
    [
        "horse",
        "t-shirt",
        'sign that says "stop"',
        'tag:"a b"',
        "note:",
        "16:9",
        "year:2020",
        "year:2019..",
        "horse - stripes",
        '"a - b"',
        "size:>2mp",
        "score:2..",
        "a dog, 3 years old: black",
        "today",
        "beach last summer",
    ],
)
def test_a_finished_query_is_answered_whole(query):
    assert _resolved(query).unfinished is None


@pytest.mark.parametrize(
    "query",
    [
        "year:abc",
        "beach year:20000",
        "id:abc",
        "horse - + dog",
        "size:huge",
        "beach orientation:sideways",
        "date:2024-13",
        "near:here",
        "horse - ocean +- sea -- - - x",
        "public:perhaps",
        "size:2 beach",
        'horse "a" - + b',
        "x" * 1001,
        " + ".join("abcdefghijklmnopq"),
    ],
)
def test_what_nothing_completes_is_an_error(query):
    with pytest.raises(InputError):
        _resolved(query)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("horse -", "Add a word after the minus."),
        ("horse + ", "Add a word after the plus."),
        ("horse 2:a 3:", "Add a word after the weight."),
        ("beach tag:", "Add a word after the colon."),
        ("beach year:20", "Enter a year of four digits."),
        ('"red', 'Close the quotes with ".'),
    ],
)
def test_the_hint_is_in_plain_words(query, hint):
    assert _resolved(query).unfinished.hint == hint


def test_a_filter_of_its_own_is_not_completed():
    with pytest.raises(ParseError):
        ResolvedRequest.of(SearchRequest("horse", where="year:2020 size:>2"), KINDS)


def test_a_column_called_year_keeps_small_numbers():
    kinds = {**KINDS, "year": "number"}
    assert ResolvedRequest.of(SearchRequest("class year:7"), kinds).unfinished is None


def test_every_beginning_of_a_query_is_answered():
    query = 'two dogs - 2:"red car" year:2019..2021 near:48.85,2.35,5km size:>2mp date:last-summer'
    for length in range(1, len(query) + 1):
        _resolved(query[:length])


def test_results_name_the_unfinished_end(library):
    hits = library.search("red -", 3)
    assert hits.unfinished == Unfinished("-", "Add a word after the minus.")
    assert [hit.id for hit in hits] == [hit.id for hit in library.search("red", 3)]
    assert len(library.search("-", 6)) == 6
    assert library.search("red", 3).unfinished is None
