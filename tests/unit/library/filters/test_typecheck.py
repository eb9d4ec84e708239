"""snapseek.library.filters.typecheck; integration/test_filters.py compares what its trees find with an
oracle."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from snapseek.errors import InputError
from snapseek.library.filters.ast import And, Condition, Not, Or
from snapseek.library.filters.typecheck import typecheck

KINDS = {
    "taken": "date",
    "rating": "number",
    "licence": "text",
    "tags": "list",
    "public": "flag",
    "Artist": "text",
    "width": "number",
    "kind": "text",
}
NEVER = Or(())


def meaning(column, operator, value, kinds=KINDS):
    return typecheck(Condition(column, operator, value), kinds)


def moment(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        (">=", "2024", (">=", moment(2024, 1, 1))),
        (">", "2024", (">=", moment(2025, 1, 1))),
        ("<", "2024-06", ("<", moment(2024, 6, 1))),
        ("<=", "2024-12", ("<", moment(2025, 1, 1))),
        ("<=", "2024-2-29", ("<", moment(2024, 3, 1))),
        (">=", date(2024, 2, 29), (">=", moment(2024, 2, 29))),
        (">=", 2024, (">=", moment(2024, 1, 1))),
        ("<=", "9999", ("<", 253402300800 * 1_000_000)),
        (">", "2024-01-01T10:30", (">=", moment(2024, 1, 1, 10, 31))),
        (">", "2024-01-01 10:30:05", (">=", moment(2024, 1, 1, 10, 30, 6))),
        (">=", "2024-01-01T10:30:05.25Z", (">=", moment(2024, 1, 1, 10, 30, 5) + 250_000)),
        (">=", "2024-01-01T10:30+02:00", (">=", moment(2024, 1, 1, 8, 30))),
        (">", datetime(2024, 1, 1), (">=", moment(2024, 1, 1) + 1)),
        (
            ">=",
            datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            (">=", moment(2023, 12, 31, 23)),
        ),
    ],
)
def test_dates_are_spans_of_time(operator, value, expected):
    assert meaning("taken", operator, value) == Condition("taken", *expected)
    assert meaning("date", operator, value) == Condition("@date", *expected)


def test_names_are_found_whatever_their_case_and_by_their_short_form():
    assert meaning("artist", "=", "É") == Condition("Artist", "=", "e")
    assert meaning("tag", "=", "x") == Condition("tags", "=", "x")
    assert meaning("type", "=", "JPG") == Condition("kind", "=", "jpeg")
    assert meaning("type", "=", "JPG", {"type": "text"}) == Condition("type", "=", "jpg")
    assert meaning("year", "=", 3, {"year": "number"}) == Condition("year", "=", 3)


def test_what_a_library_has_not_nobody_has():
    assert meaning("camera", "contains", "x") == NEVER
    assert meaning("camera", "exists", False) == And(())
    assert meaning("date", "=", "2020", {}) == NEVER
    with pytest.raises(InputError, match="a word"):  # malformed all the same
        meaning("camera", "contains", "!")


def test_values_are_typed_and_in_order():
    assert meaning("rating", "in", ("3", 2, 2.0)) == Condition("rating", "in", (2, 3))
    assert meaning("rating", "in", (2, "2")) == meaning("rating", "=", "2") == Condition("rating", "=", 2)
    assert meaning("rating", "in", ()) == NEVER
    assert meaning("rating", "!=", 1) == Not(Condition("rating", "=", 1))
    assert meaning("public", "=", "Yes") == Condition("public", "=", 1)
    assert meaning("licence", "contains", "CC  by!*") == Condition("licence", "contains", "cc by*")
    assert meaning("licence", "=", "a\ud800") == Condition("licence", "=", "a\ufffd")
    assert meaning("licence", "contains", "a\ud800b") == Condition("licence", "contains", "a b")
    assert meaning("licence", "=", 4) == Condition("licence", "=", "4")


@pytest.mark.parametrize(
    ("column", "operator", "value", "message"),
    [
        ("nothing", "=", 1, "expected a column of this library, got 'nothing'; known: Artist"),
        ("rating", "=", "x", "expected a number for the column 'rating', got = 'x'"),
        ("rating", "=", True, "a number"),
        ("rating", "<", "1e999", "a number"),
        ("rating", "<", float("nan"), "a number"),
        ("rating", "in", (1, 10**301), "a number"),
        ("megapixels", ">", 1e299, "a number"),
        ("rating", "=", "1" * 400, "a number"),
        ("rating", "contains", "1", "a comparison"),
        ("rating", "prefix", 1, "a comparison"),
        ("taken", "=", "June", "'June' is not a date; try 2024 or 2024-06"),
        ("taken", "=", "2023-02-29", "'2023-02-29' is not a date"),
        ("taken", "=", "2023-01-01T99:00", "is not a date"),
        ("taken", "=", "0000", "'0000' is not a date"),
        ("taken", "=", 123456, "'123456' is not a date"),
        ("taken", "prefix", "2020", "a comparison"),
        ("year", "=", "abc", "'abc' is not a year; try 2024"),
        ("date", ">=", "yesterdy", "'yesterdy' is not a date; try 2024 or 2024-06"),
        ("year", "=", "2020.5", "'2020.5' is not a year; try 2024"),
        ("year", "in", (2020, 10_000), "'10000' is not a year"),
        ("public", "=", "maybe", "true or false"),
        ("public", "<", True, "true or false"),
        ("licence", "=", True, "a text"),
        ("licence", "contains", "--", "a word"),
        ("tags", "<", "a", "without < or >"),
        ("orientation", "=", "diagonal", "portrait, landscape or square"),
        ("orientation", "<", "portrait", "portrait, landscape or square"),
        ("megapixels", "=", "big", "a number"),
    ],
)
def test_what_does_not_fit_is_refused(column, operator, value, message):
    with pytest.raises(InputError, match=message):
        meaning(column, operator, value)
