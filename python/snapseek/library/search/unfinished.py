"""Answers a query that is being typed without its unfinished end: `horse -`, `"red car`, `beach year:20`.

An end is unfinished if something can be typed behind it so that the query is valid. Anything else that is
malformed stays an error.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from snapseek.errors import InputError
from snapseek.library.filters.parser import is_filter_name
from snapseek.library.filters.relative_dates import RELATIVE_DATES
from snapseek.library.filters.typecheck import ORIENTATIONS

_COMPLETIONS = (
    *("a", '"', 'a"', "1", "1a", "0", "00", "000", "0:00", "01"),
    *("mp", "p", "b", "1mb", "ib", ".1mp", ",0", "km", "m", "..1", "=1"),
)
"""What makes a term, a number, a date, a size or a place of its beginning."""

_WORDS = (*ORIENTATIONS, "yes", "no", "true", "false", *(text.replace(" ", "-") for text in RELATIVE_DATES))
_MAX_TOKENS = 64
_TOKEN = re.compile(r"(?<!\S)\S")
_FRAGMENT = re.compile(r'[^\s:,"<>=!~]+\Z')
_WITHOUT_VALUE = re.compile(r'(?<!\S)[+-]?([^\W\d][\w.-]*):(?:(?:[^\s"]|"[^"]*")*"[^"]*)?\Z')
_WITHOUT_WORD = re.compile(r"(?<!\S)[+-]?[0-9.]+:\Z")
_SHORT_YEAR = re.compile(r"(?<!\S)[+-]?year:(?:\S*[^\d\s])?[0-9]{1,3}\Z", re.IGNORECASE)
_OPEN_PHRASE = re.compile(r'(?:[+-]\s*)?(?:[0-9.]+:)?"')
_SIGN = re.compile(r"([+-])\s*(?:[0-9.]+:?)?\Z")


@dataclass(frozen=True)
class Unfinished:
    """The end of a query that cannot count yet.

    Attributes
    ----------
    text
        The end as typed.
    hint
        How to complete it, in words for people.
    """

    text: str
    hint: str


def without_unfinished_end(
    query: str, columns: Collection[str], check: Callable[[str], None], values: Collection[str] = ()
) -> tuple[str, Unfinished | None]:
    """Return the part of a query that is answered, and its unfinished end.

    A phrase with an open quote counts as closed.

    Parameters
    ----------
    query
        As typed.
    columns
        The columns of the library.
    check
        Raises InputError for a malformed query.
    values
        Words that may complete the value of a filter, such as the names of concepts.

    Raises
    ------
    InputError
        The query is malformed and nothing that is typed behind it makes it valid.
    """
    text = query.rstrip()
    error: InputError | None = None
    if not _lacks_characters(text, columns):
        try:
            if text:
                check(query)
        except InputError as found:
            error = found
        else:
            return query, None
    if error is not None and not any(
        _is_valid(longer, check) for longer in _completed(text, (*columns, *values))
    ):
        raise error
    return _cut(text, columns, check, error)


def _cut(
    text: str, columns: Collection[str], check: Callable[[str], None], error: InputError | None
) -> tuple[str, Unfinished]:
    """Return the longest finished beginning of whole words, and the end after it."""
    starts = [found.start() for found in _TOKEN.finditer(text)][-_MAX_TOKENS:]
    for start in reversed(starts):
        before, end = text[:start].rstrip(), text[start:]
        if not before or (not _lacks_characters(before, columns) and _is_valid(before, check)):
            closed = text + '"'
            if _OPEN_PHRASE.match(end) and _is_valid(closed, check):
                before = closed
            return before, Unfinished(end, _hint(end, error))
    raise error or InputError(expected="a query", got=text[-40:])


def _lacks_characters(text: str, columns: Collection[str]) -> bool:
    """Return whether a query is valid, but its end means something else than what is being typed."""
    name = _WITHOUT_VALUE.search(text)
    if name is not None:
        return is_filter_name(name[1], columns)
    if _WITHOUT_WORD.search(text):
        return True
    return "year" not in columns and _SHORT_YEAR.search(text) is not None


def _completed(text: str, columns: Collection[str]) -> Iterator[str]:
    """Yield longer queries."""
    for suffix in _COMPLETIONS:
        yield text + suffix
    fragment = _FRAGMENT.search(text)
    for word in (*_WORDS, *columns):
        if fragment and word.startswith(fragment[0].lower()):
            yield text[: fragment.start()] + word
        elif text.endswith(","):
            yield text + word


def _is_valid(query: str, check: Callable[[str], None]) -> bool:
    try:
        check(query)
    except InputError:
        return False
    return True


def _hint(end: str, error: InputError | None) -> str:
    sign = _SIGN.match(end)
    if sign is not None:
        return f"Add a word after the {'minus' if sign[1] == '-' else 'plus'}."
    if end.count('"') % 2:
        return 'Close the quotes with ".'
    if end.endswith(":"):
        return f"Add a word after the {'weight' if end[0].isdigit() else 'colon'}."
    if error is None:
        return "Enter a year of four digits."
    return f"Complete {end}: {error.expected}." if error.expected else f"Complete {end}."
