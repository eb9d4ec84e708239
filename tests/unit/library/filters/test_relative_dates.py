from datetime import date

import pytest

from snapseek.library.filters.relative_dates import (
    RELATIVE_DATES,
    relative_period,
    without_relative_date,
)

NOVEMBER = date(2026, 11, 30)  # a Monday
JANUARY = date(2026, 1, 15)


@pytest.mark.parametrize(
    ("text", "today", "first", "after"),
    [
        ("today", NOVEMBER, "2026-11-30", "2026-12-01"),
        ("Yesterday", date(2026, 3, 1), "2026-02-28", "2026-03-01"),
        ("this week", NOVEMBER, "2026-11-30", "2026-12-07"),
        ("last week", NOVEMBER, "2026-11-23", "2026-11-30"),
        ("last month", JANUARY, "2025-12-01", "2026-01-01"),
        ("this month", date(2026, 12, 31), "2026-12-01", "2027-01-01"),
        ("last year", JANUARY, "2025-01-01", "2026-01-01"),
        ("last-summer", NOVEMBER, "2026-06-01", "2026-09-01"),
        ("last_summer", date(2026, 8, 31), "2025-06-01", "2025-09-01"),
        ("last  summer", date(2026, 9, 1), "2026-06-01", "2026-09-01"),
        ("this summer", JANUARY, "2026-06-01", "2026-09-01"),
        ("last winter", NOVEMBER, "2025-12-01", "2026-03-01"),
        ("last winter", JANUARY, "2024-12-01", "2025-03-01"),
        ("this winter", JANUARY, "2025-12-01", "2026-03-01"),
        ("last fall", NOVEMBER, "2025-09-01", "2025-12-01"),
        ("last june", NOVEMBER, "2026-06-01", "2026-07-01"),
        ("last november", NOVEMBER, "2025-11-01", "2025-12-01"),
    ],
)
def test_words_for_periods(text, today, first, after):
    assert relative_period(text, today) == (date.fromisoformat(first), date.fromisoformat(after))


@pytest.mark.parametrize("text", RELATIVE_DATES)
@pytest.mark.parametrize("today", [NOVEMBER, JANUARY, date(2024, 2, 29)])
def test_last_is_over_and_this_is_no_empty_period(text, today):
    first, after = relative_period(text, today)
    assert first < after
    if text.startswith("last"):
        assert after <= today


@pytest.mark.parametrize("text", ["", "tomorrow", "last", "summer", "last summer 2020", "2024", "lastsummer"])
def test_other_words_are_no_period(text):
    assert relative_period(text, NOVEMBER) is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("beach last summer", ("beach", "last-summer")),
        ("beach from yesterday ", ("beach", "yesterday")),
        ("Today", ("", "today")),
        ("horse + stripes last  year", ("horse + stripes", "last-year")),
        ("yesterday a dog", ("yesterday a dog", None)),
        ('"last summer"', ('"last summer"', None)),
        ("horse - yesterday", ("horse - yesterday", None)),
        ("horse -yesterday", ("horse -yesterday", None)),
        ("2:yesterday", ("2:yesterday", None)),
        ("outlast summer", ("outlast summer", None)),
    ],
)
def test_a_date_at_the_end_of_a_query(words, expected):
    assert without_relative_date(words) == expected
