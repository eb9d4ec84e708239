"""snapseek.server.api.parameters."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from snapseek.errors import InputError, OutOfRangeError, ParseError
from snapseek.server.api.parameters import (
    MAX_ID,
    MIN_ID,
    check_names,
    checked_query,
    read_id,
    read_ids,
    read_width,
)


def test_a_query_is_stripped():
    assert checked_query(" two dogs\n") == "two dogs"
    assert checked_query(" \t\n") is None
    assert len(checked_query(" " + "é" * 1000 + " ") or "") == 1000


@pytest.mark.parametrize(
    ("text", "error", "got"),
    [("a" * 1001, OutOfRangeError, "1001 characters"), ("a\0b", ParseError, "a NUL")],
)
def test_an_unusable_query_is_refused(text: str, error: type[InputError], got: str):
    with pytest.raises(error) as caught:
        checked_query(text)
    assert (caught.value.got or "").startswith(got)


def test_a_width_is_optional_and_bounded():
    assert read_width(QueryParams("")) is None
    assert read_width(QueryParams("w=16")) == 16
    assert read_width(QueryParams("w=4096")) == 4096
    for text in ("15", "4097", "x", ""):
        with pytest.raises(InputError, match="w to be an integer from 16 to 4096"):
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
    with pytest.raises(InputError, match='expected a known parameter, got "limt"; known: q, limit'):
        check_names(QueryParams("limt=3"), ("q", "limit"))
    with pytest.raises(InputError, match="the parameter q once, got 2 times"):
        check_names(QueryParams("q=a&q=b"), ("q",))
    with pytest.raises(InputError, match="known: none"):
        check_names(QueryParams("x=1"), ())


def test_ids_are_read_once_each_in_their_order():
    assert read_ids("3,-1,3,7") == [3, -1, 7]
    assert len(read_ids(",".join(map(str, range(256))))) == 256


@pytest.mark.parametrize("text", ["", "1,", ",1", "1;2", "1, 2", "1,x", "9223372036854775808"])
def test_what_is_no_id_among_ids_is_refused(text: str):
    with pytest.raises(InputError, match="64-bit integer"):
        read_ids(text)


def test_too_many_ids_are_refused():
    with pytest.raises(InputError, match="up to 256 ids, got 257"):
        read_ids(",".join(map(str, range(257))))
