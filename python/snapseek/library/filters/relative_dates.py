"""Dates by words: `yesterday`, `today`, `this week`, `last month`, `last summer`, `last june`.

Weeks begin on Monday. Seasons are the meteorological ones of the northern hemisphere: summer is June to
August, winter begins in December. `last` is the latest period that is over, `this` the one of today or of
this year.
"""

import re
from datetime import date, timedelta

_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_UNITS = ("week", "month", "year", *_SEASONS, *_MONTHS)
_RELATIVE = rf"(today|yesterday|(this|last)[ _-]+({'|'.join(_UNITS)}))"
_WHOLE = re.compile(_RELATIVE, re.IGNORECASE)
_AT_END = re.compile(rf"(?:(?:from|of|in|during)\s+)?(?<!\S){_RELATIVE}\s*\Z", re.IGNORECASE)
_SEASON_MONTHS = 3

RELATIVE_DATES = ("today", "yesterday", *(f"{which} {unit}" for which in ("this", "last") for unit in _UNITS))
"""All words for dates."""


def relative_period(text: str, today: date) -> tuple[date, date] | None:
    """Return the first day of a period and the first after it; None for words that are no date."""
    found = _WHOLE.fullmatch(text.strip())
    if found is None:
        return None
    if found[3] is None:
        first = today - timedelta(days=found[1].lower() == "yesterday")
        return first, first + timedelta(days=1)
    return _period(found[3].lower(), today, is_last=found[2].lower() == "last")


def without_relative_date(words: str) -> tuple[str, str | None]:
    """Return a query without the date at its end, as in `beach last summer`, and that date.

    Words in quotes and behind a sign stay what they are.
    """
    found = None if '"' in words else _AT_END.search(words)
    before = words[: found.start()].rstrip() if found else ""
    if found is None or before.endswith(("-", "+", ":")):
        return words, None
    return before, re.sub(r"[ _-]+", "-", found[1].lower())


def _period(unit: str, today: date, *, is_last: bool) -> tuple[date, date]:
    if unit == "week":
        monday = today - timedelta(days=today.weekday() + 7 * is_last)
        return monday, monday + timedelta(days=7)
    if unit == "month":
        first = _months_after(today.replace(day=1), -is_last)
        return first, _months_after(first, 1)
    if unit == "year":
        first = date(today.year - is_last, 1, 1)
        return first, _months_after(first, 12)
    months = _SEASON_MONTHS if unit in _SEASONS else 1
    first = date(today.year, _SEASONS.get(unit) or _MONTHS.index(unit) + 1, 1)
    if unit == "winter" and not is_last and today.month < _SEASON_MONTHS:
        first = _months_after(first, -12)
    while is_last and _months_after(first, months) > today:
        first = _months_after(first, -12)
    return first, _months_after(first, months)


def _months_after(first: date, months: int) -> date:
    number = first.year * 12 + first.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)
