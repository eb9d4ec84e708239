"""The names of concepts, and where they stand in the words of a query."""

import pytest

from snapseek.errors import InputError
from snapseek.library.concepts.names import checked_name, key_of, split_names

KEYS = ("rex", "old rex", "our garden", "cafe")


@pytest.mark.parametrize(
    ("words", "remaining", "keys"),
    [
        ("rex", "", ("rex",)),
        ("Rex on a beach", "on a beach", ("rex",)),
        ("a beach with REX.", "a beach with .", ("rex",)),
        ("old rex", "", ("old rex",)),
        ("rexes and t-rexx", "rexes and t-rexx", ()),
        ("Our   Garden at night", "at night", ("our garden",)),
        ("rex in our garden with rex", "in with", ("rex", "our garden")),
        ("the Café", "the", ("cafe",)),
        ("Straße zum café", "strasse zum", ("cafe",)),
        ("a beach", "a beach", ()),
        ("", "", ()),
    ],
)
def test_a_name_counts_where_it_stands_as_whole_words(words, remaining, keys):
    found = split_names(words, KEYS)
    assert (found[0].casefold(), found[1]) == (remaining.casefold(), keys)


def test_words_stay_as_they_are_without_concepts():
    assert split_names("  a   b ", ()) == ("  a   b ", ())


@pytest.mark.parametrize(
    "name", ["rex", "Our garden", "C3PO", "Anne-Marie", "O'Brien", "Ürümqi", "犬", "2 cats"]
)
def test_a_valid_name_stays(name):
    assert checked_name(f"  {name} ") == name


WRONG = ("", "  ", "-rex", "rex:", "a + b", "rex -snow", "rex - snow", '"rex"', "a,b", "17", "x" * 61, "r\0x")


@pytest.mark.parametrize(
    "name", [*WRONG, "a", "In the", 5, None, "_", "is:rex", "rex\nbella:1", "*", "\ud800"]
)
def test_a_name_with_signs_of_the_query_language_is_refused(name):
    with pytest.raises(InputError) as raised:
        checked_name(name)
    assert raised.value.expected
    assert raised.value.got


def test_case_accents_and_spaces_do_not_distinguish_names():
    assert key_of(" Café  REX") == key_of("cafe rex")
