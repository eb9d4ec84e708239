"""Checks a filter and types it for one library: its columns and its values.

A typed tree has only real columns and these computed ones, with values as column indexes store them:

    @date          microseconds since 1970 of the local time; only >= and < and exists
    @pixels        width times height
    @orientation   portrait, landscape or square
    @concept       the key of a taught concept
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Literal

import numpy as np

from snapseek.errors import InputError, ParseError, UnknownChoiceError
from snapseek.library.filters.ast import (
    LARGEST,
    And,
    Condition,
    GeoWithin,
    Not,
    Or,
    Scalar,
    Tree,
)
from snapseek.library.filters.normal_form import check_size, normalized
from snapseek.library.filters.relative_dates import relative_period
from snapseek.library.filters.text_normalize import casefold_text, words_of
from snapseek.places import gazetteer

Kind = Literal["number", "date", "flag", "text", "list"]
Kinds = Mapping[str, Kind]

DATE, PIXELS, ORIENTATION, CONCEPT = "@date", "@pixels", "@orientation", "@concept"
DATE_ROLES = ("taken", "date", "datetime", "timestamp", "created", "modified")
"""Columns with the date of a picture; the first that has a value counts."""

ORIENTATIONS = ("portrait", "landscape", "square")
STANDARD: Kinds = {
    "id": "number",
    "uri": "text",
    "width": "number",
    "height": "number",
    "color": "text",
    "caption": "text",
    "name": "text",
    "folder": "text",
    "size_bytes": "number",
    "modified": "date",
    "kind": "text",
    "taken": "date",
    "camera": "text",
    "latitude": "number",
    "longitude": "number",
    "tags": "list",
    "title": "text",
    "is_truncated": "flag",
    "duration_s": "number",
    "taken_offset_minutes": "number",
    "taken_from": "text",
    "rating": "number",
    "place": "text",
    "country": "text",
}
"""Columns that every library knows; where they are missing, no picture has a value."""

_OTHER_NAMES: Mapping[str, Callable[[str], frozenset[str]]] = {
    "place": lambda name: gazetteer().towns_called(name),
    "country": lambda name: gazetteer().countries_called(name),
}
_SYNONYMS = {"tag": "tags", "type": "kind"}
_KINDS_OF_FILE = {"jpg": "jpeg", "tif": "tiff", "heif": "heic"}
_NEVER, _ALWAYS = Or(()), And(())
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_MAX_DIGITS = 300
_PERIOD = re.compile(
    r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?)?)?"
)
_ORDERED = frozenset({"<", "<=", ">", ">="})
_YES, _NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


def typecheck(tree: Tree, kinds: Kinds) -> Tree:
    """Return a tree typed for a library with columns of these kinds, in normal form.

    Raises InputError for an unknown column, and for a comparison or a value that does not fit its column.
    """
    check_size(tree)
    return normalized(_resolved(tree, kinds))


def _resolved(tree: Tree, kinds: Kinds) -> Tree:
    if isinstance(tree, And | Or):
        return type(tree)(tuple(_resolved(part, kinds) for part in tree.parts))
    if isinstance(tree, Not):
        return Not(_resolved(tree.part, kinds))
    return tree if isinstance(tree, GeoWithin) else _condition(tree, kinds)


def _condition(condition: Condition, kinds: Kinds) -> Tree:
    if condition.operator == "!=":
        return Not(_condition(Condition(condition.column, "=", condition.value), kinds))
    if condition.operator == "exists" and not condition.value:
        return Not(_condition(Condition(condition.column, "exists", True), kinds))
    own = _found(condition.column, kinds)
    computed = _COMPUTED.get(condition.column.lower())
    if own is None and computed is not None:
        return computed(condition, kinds)
    name = own or _SYNONYMS.get(condition.column.lower(), condition.column.lower())
    kind = kinds.get(name) or STANDARD.get(name)
    if kind is None:
        known = ", ".join(sorted({*kinds, *_COMPUTED}))
        raise UnknownChoiceError(
            expected="a column of this library", got=f"{condition.column!r:.60}", hint=f"known: {known}"
        )
    typed = _typed(Condition(name, condition.operator, condition.value), kind)
    return typed if name in kinds else _NEVER


def _found(column: str, kinds: Kinds) -> str | None:
    """Return the column of that name, else one that differs in case only."""
    if column in kinds:
        return column
    return next((name for name in kinds if name.lower() == column.lower()), None)


def _typed(condition: Condition, kind: Kind) -> Tree:
    if condition.operator == "exists":
        return Condition(condition.column, "exists", True)
    return _TYPED[kind](condition)


def _refusal(condition: Condition, expected: str) -> InputError:
    return ParseError(
        expected=f"{expected} for the column {condition.column!r:.60}",
        got=f"{condition.operator} {condition.value!r:.60}",
    )


def _not_a(noun: str, value: object) -> InputError:
    """Return the refusal of a date, which the user may have typed without knowing of any column."""
    hint = "try 2024 or 2024-06" if noun == "date" else "try 2024"
    return ParseError(f"{str(value)!r:.60} is not a {noun}", expected=f"a {noun}", got=str(value), hint=hint)


def _values(condition: Condition) -> tuple[Scalar, ...]:
    return condition.value if isinstance(condition.value, tuple) else (condition.value,)


def _with_value(condition: Condition, values: tuple[float, ...] | tuple[str, ...]) -> Tree:
    """Return the condition with typed values; those of `in` sorted and without repeats."""
    if condition.operator != "in":
        return Condition(condition.column, condition.operator, values[0])
    different: tuple[Any, ...] = tuple(dict.fromkeys(sorted(values)))
    if len(different) == 1:
        return Condition(condition.column, "=", different[0])
    return Condition(condition.column, "in", different) if different else _NEVER


def _number(condition: Condition) -> Tree:
    if condition.operator not in {"=", "in", *_ORDERED}:
        raise _refusal(condition, "a comparison such as >= or in")
    return _with_value(condition, tuple(_as_number(condition, value) for value in _values(condition)))


def _as_number(condition: Condition, value: object) -> float:
    number: object = value
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and _NUMBER.fullmatch(value.strip()):
        number = float(value) if re.search(r"[.eE]", value) else int(value)
    if isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= LARGEST:
        return number  # neither infinite nor NaN
    raise _refusal(condition, "a number")


def _flag(condition: Condition) -> Tree:
    if condition.operator not in ("=", "in"):
        raise _refusal(condition, "true or false")
    return _with_value(condition, tuple(_as_flag(condition, value) for value in _values(condition)))


def _as_flag(condition: Condition, value: object) -> int:
    word = str(value).lower()
    if word not in _YES | _NO:
        raise _refusal(condition, "true or false")
    return int(word in _YES)


def _text(condition: Condition) -> Tree:
    if any(isinstance(value, bool) for value in _values(condition)):
        raise _refusal(condition, "a text")
    texts = tuple(str(value) for value in _values(condition))
    if condition.operator == "contains":
        found = Condition(condition.column, "contains", _words(condition, texts[0]))
        return _with_other_names(found, texts) if condition.column in _OTHER_NAMES else found
    if condition.operator in ("=", "in") and condition.column in _OTHER_NAMES:
        return _with_other_names(_with_value(condition, tuple(map(casefold_text, texts))), texts)
    if condition.column == "kind":
        texts = tuple(_KINDS_OF_FILE.get(text.lower(), text) for text in texts)
    return _with_value(condition, tuple(casefold_text(text) for text in texts))


def _with_other_names(found: Tree, texts: tuple[str, ...]) -> Tree:
    """Return a condition on a place or a country that also accepts what else it is called."""
    assert isinstance(found, Condition)
    here = sorted({name for text in texts for name in _OTHER_NAMES[found.column](text)})
    named = tuple(Condition(found.column, "=", casefold_text(name)) for name in here)
    return Or((found, *named)) if named else found


def _words(condition: Condition, text: str) -> str:
    words = words_of(text)
    if not words:
        raise _refusal(condition, "a word")
    return " ".join(words) + ("*" if text.rstrip().endswith("*") else "")


def _list(condition: Condition) -> Tree:
    if condition.operator in _ORDERED:
        raise _refusal(condition, "a value that is in the list, without < or >")
    return _text(condition)


def _date(condition: Condition) -> Tree:
    """Return a comparison of dates as bounds on microseconds; the upper one is exclusive."""
    if condition.operator not in {"=", "in", *_ORDERED}:
        raise _refusal(condition, "a comparison such as >= or in")
    spans = [_span(condition, value) for value in _values(condition)]
    column = condition.column
    if condition.operator in ("=", "in"):
        parts = [And((Condition(column, ">=", low), Condition(column, "<", high))) for low, high in spans]
        return Or(tuple(parts))
    low, high = spans[0]
    is_before = condition.operator in ("<", "<=")
    bound = low if condition.operator in ("<", ">=") else high
    return Condition(column, "<" if is_before else ">=", bound)


def _span(condition: Condition, value: object) -> tuple[int, int]:
    """Return the first microsecond of a period and the first after it."""
    if isinstance(value, datetime):
        moment = _microseconds(value)
        return moment, moment + 1
    if isinstance(value, date):
        return _period(value.year, value.month, value.day)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 9999:
        return _period(value)
    relative = relative_period(value, datetime.now().date()) if isinstance(value, str) else None
    if relative is not None:
        return _microseconds_of(relative[0]), _microseconds_of(relative[1])
    found = _PERIOD.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise _not_a("date", value)
    try:
        return _read(found)
    except ValueError as error:
        raise _not_a("date", value) from error


def _read(found: re.Match[str]) -> tuple[int, int]:
    if found[4] is None:
        return _period(*(int(part) for part in found.groups()[:3] if part))
    day = datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC)
    seconds = found[6] or "00"
    text = f"{day:%Y-%m-%d}T{found[4]}:{found[5]}:{seconds}{found[8] or 'Z'}"
    moment = _microseconds(datetime.fromisoformat(text))
    if found[7]:
        moment += round(float(found[7]) * 1e6)
        return moment, moment + 1
    return moment, moment + (1_000_000 if found[6] else 60_000_000)


def _period(year: int, month: int | None = None, day: int | None = None) -> tuple[int, int]:
    datetime(year, month or 1, day or 1)  # raises ValueError for an impossible date
    parts = [f"{number:02}" for number in (month, day) if number is not None]
    first = np.datetime64("-".join([f"{year:04}", *parts]))
    unit, _ = np.datetime_data(first.dtype)
    period = np.array([first, first + np.array(1, f"timedelta64[{unit}]")])
    start, end = period.astype("datetime64[us]").astype(np.int64).tolist()
    return start, end


def _microseconds_of(day: date) -> int:
    return _microseconds(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _microseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _computed_date(condition: Condition, kinds: Kinds) -> Tree:
    tree = _typed(Condition(DATE, condition.operator, condition.value), "date")
    return tree if any(kinds.get(role) == "date" for role in DATE_ROLES) else _NEVER


def _computed_year(condition: Condition, kinds: Kinds) -> Tree:
    if condition.operator == "exists":
        return _computed_date(condition, kinds)
    whole = tuple(_as_year(condition, value) for value in _values(condition))
    value = whole if condition.operator == "in" else whole[0]
    return _computed_date(Condition("date", condition.operator, value), kinds)


def _as_year(condition: Condition, value: object) -> int:
    try:
        year = _as_number(condition, value)
    except InputError as error:
        raise _not_a("year", value) from error
    if year != int(year) or not 1 <= year <= 9999:
        raise _not_a("year", value)
    return int(year)


def _computed_pixels(condition: Condition, kinds: Kinds, *, unit: float) -> Tree:
    if condition.operator == "exists":
        return Condition(PIXELS, "exists", True)
    numbers = tuple(_as_number(condition, value) * unit for value in _values(condition))
    return _number(
        Condition(PIXELS, condition.operator, numbers if condition.operator == "in" else numbers[0])
    )


def _computed_orientation(condition: Condition, kinds: Kinds) -> Tree:
    if condition.operator == "exists":
        return Condition(PIXELS, "exists", True)
    wanted = [str(value).lower() for value in _values(condition)]
    if condition.operator not in ("=", "in") or not set(wanted) <= set(ORIENTATIONS):
        raise _refusal(condition, "portrait, landscape or square")
    return Or(tuple(Condition(ORIENTATION, "=", value) for value in wanted))


def _concept(condition: Condition, kinds: Kinds) -> Tree:
    if condition.operator not in ("=", "in") or not all(isinstance(v, str) for v in _values(condition)):
        raise _refusal(condition, "the name of a taught concept")
    keys = [casefold_text(" ".join(str(value).split())) for value in _values(condition)]
    return Or(tuple(Condition(CONCEPT, "=", key) for key in keys))


_TYPED: dict[Kind, Callable[[Condition], Tree]] = {
    "number": _number,
    "date": _date,
    "flag": _flag,
    "text": _text,
    "list": _list,
}
_COMPUTED: dict[str, Callable[[Condition, Kinds], Tree]] = {
    "date": _computed_date,
    "year": _computed_year,
    "megapixels": partial(_computed_pixels, unit=1e6),
    "pixels": partial(_computed_pixels, unit=1),
    "orientation": _computed_orientation,
    "is": _concept,
}
