"""snapseek.server.api.parameters."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from snapseek.errors import InputError
from snapseek.library import Term
from snapseek.server.api.parameters import (
    MAX_ID,
    MIN_ID,
    Window,
    check_names,
    read_flag,
    read_id,
    read_ids,
    read_query,
    read_terms,
    read_width,
    read_window,
)


def test_a_query_is_read_without_the_white_space_around():
    assert read_query(QueryParams("q=%20two+dogs%0A")) == "two dogs"


@pytest.mark.parametrize(
    ("query_string", "sentence"),
    [
        ("", "q is missing"),
        ("q=", "empty"),
        ("q=%20%09%0a", "empty"),
        ("q=" + "a" * 1001, "1001 characters; at most 1000"),
        ("q=a%00b", "NUL"),
    ],
)
def test_a_query_that_cannot_be_asked_is_refused(query_string: str, sentence: str):
    with pytest.raises(InputError, match=sentence):
        read_query(QueryParams(query_string))


def test_a_query_of_exactly_the_longest_length_is_read():
    assert len(read_query(QueryParams([("q", " " + "é" * 1000 + " ")]))) == 1000


def test_a_query_has_terms():
    assert read_terms("horse - 2:snow + id:7") == [Term("horse"), Term("snow", -2), Term(7)]
    with pytest.raises(InputError, match="another operator at character 9 "):
        read_terms("horse + - snow")


@pytest.mark.parametrize("query", ["image:/etc/passwd", 'dog - 2:image:"a.jpg"', "image:x"])
def test_no_request_names_a_file(query: str):
    with pytest.raises(InputError, match="image: opens a file"):
        read_terms(query)


def test_the_words_image_can_be_asked_for():
    assert read_terms('"image:dog" + an image: a dog') == [Term("image:dog"), Term("an image: a dog")]


def test_a_window_has_defaults_and_bounds():
    assert read_window(QueryParams("")) == Window(60, 0)
    assert read_window(QueryParams("limit=1&offset=999")) == Window(1, 999)
    assert read_window(QueryParams("limit=200&offset=800")) == Window(200, 800)


@pytest.mark.parametrize(
    "query_string",
    ["limit=0", "limit=201", "limit=-1", "limit=", "limit=1.5", "limit=1e1", "limit=%D9%A3", "limit=+5"],
)
def test_a_limit_out_of_bounds_is_refused(query_string: str):
    with pytest.raises(InputError, match="limit must be an integer from 1 to 200; found"):
        read_window(QueryParams(query_string))


@pytest.mark.parametrize("query_string", ["limit=2&offset=999", "limit=200&offset=801"])
def test_paging_ends_at_a_thousand(query_string: str):
    with pytest.raises(InputError, match="at most 1000"):
        read_window(QueryParams(query_string))


def test_an_offset_below_zero_is_refused():
    with pytest.raises(InputError, match="offset must be an integer from 0 to 999; found '-1'"):
        read_window(QueryParams("offset=-1"))


def test_a_width_is_optional_and_bounded():
    assert read_width(QueryParams("")) is None
    assert read_width(QueryParams("w=16")) == 16
    assert read_width(QueryParams("w=4096")) == 4096
    for text in ("15", "4097", "x", ""):
        with pytest.raises(InputError, match="w must be an integer from 16 to 4096"):
            read_width(QueryParams([("w", text)]))


@given(st.integers(MIN_ID, MAX_ID))
def test_every_64_bit_integer_is_an_id(number: int):
    assert read_id(str(number)) == number


@given(st.text() | st.integers().filter(lambda number: not MIN_ID <= number <= MAX_ID).map(str))
def test_everything_else_is_no_id(text: str):
    if re.fullmatch("-?[0-9]+", text) and MIN_ID <= int(text) <= MAX_ID:
        return
    with pytest.raises(InputError, match="64-bit integer"):
        read_id(text)


def test_thousands_of_digits_are_no_id():
    with pytest.raises(InputError, match="64-bit integer") as caught:
        read_id("9" * 5000)
    assert len(str(caught.value)) < 150


def test_unknown_and_repeated_names_are_refused():
    check_names(QueryParams("q=a&limit=3"), ("q", "limit"))
    with pytest.raises(InputError, match="'limt' is not known here; known: q, limit"):
        check_names(QueryParams("limt=3"), ("q", "limit"))
    with pytest.raises(InputError, match="q is given 2 times"):
        check_names(QueryParams("q=a&q=b"), ("q",))
    with pytest.raises(InputError, match="known: none"):
        check_names(QueryParams("x=1"), ())


def test_exact_is_0_or_1():
    assert [read_flag(QueryParams(text), "exact") for text in ("", "exact=0", "exact=1")] == [
        False,
        False,
        True,
    ]
    for text in ("exact=2", "exact=yes", "exact="):
        with pytest.raises(InputError, match="exact must be"):
            read_flag(QueryParams(text), "exact")


def test_ids_are_read_once_each_in_their_order():
    assert read_ids("3,-1,3,7") == [3, -1, 7]
    assert len(read_ids(",".join(map(str, range(256))))) == 256


@pytest.mark.parametrize("text", ["", "1,", ",1", "1;2", "1, 2", "1,x", "9223372036854775808"])
def test_what_is_no_id_among_ids_is_refused(text: str):
    with pytest.raises(InputError, match="64-bit integer"):
        read_ids(text)


def test_too_many_ids_are_refused():
    with pytest.raises(InputError, match="names 257 pictures; at most 256"):
        read_ids(",".join(map(str, range(257))))
