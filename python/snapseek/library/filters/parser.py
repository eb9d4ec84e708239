"""Parses typed filters: `after:2023 -tag:draft` between the words of a query, or alone.

    after:2023  before:2024-06  year:2019..2021  date:2024-06-01
    in:holiday  type:png,webp  orientation:portrait  size:>2mp  size:<500kb
    camera:x100  tag:beach  caption:"red car"  name:img*  place:paris  near:48.85,2.35,5km
    is:rex  column:value  column:>3  column:a..b  column:~words  has:column  -has:column

An operator is a name, a colon and a value without spaces, at the start of a word. `-` before it negates it.
Values separated by commas are alternatives; quotes keep spaces, commas and signs. A name that is neither an
operator nor a column of the library stays in the query, and so does everything in quotes. A date by words at
the end, as in `beach last summer`, is a filter, too. docs/SEARCH.md is the user's guide.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from snapseek.errors import InputError, OutOfRangeError, ParseError
from snapseek.library.filters.ast import And, Condition, Not, Operator, Or, Tree
from snapseek.library.filters.from_mapping import near_of
from snapseek.library.filters.normal_form import check_size
from snapseek.library.filters.relative_dates import without_relative_date
from snapseek.library.filters.typecheck import DATE_ROLES

MAX_FILTER_CHARACTERS = 4000

_QUOTED = r'"(?:[^"]|"")*+"'
_PHRASE = re.compile(rf"(?:(?:[0-9.]+|id|image):)?{_QUOTED}")
_FILTER = re.compile(rf"([+-])?([^\W\d][\w.-]*):((?:{_QUOTED}|[^\s\"])++)")
_SIGN_ALONE = re.compile(r"(?<!\S)([+-])\s+\Z")
_ALTERNATIVE = re.compile(rf"(>=|<=|!=|[<>=~])?({_QUOTED}|[^,\"]*+)(,|\Z)")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(mp|kb|mb|gb|b|kib|mib|gib)", re.IGNORECASE)
_POINT = re.compile(r"([+-]?[0-9.]+),([+-]?[0-9.]+)(?:,([0-9.]+)(km|m)?)?", re.IGNORECASE)
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_NEAR_KM = 5.0
_RESERVED = frozenset({"id", "image"})  # by the query language


@dataclass(frozen=True)
class ParsedQuery:
    """A typed query split into words and filters.

    Attributes
    ----------
    words
        The query without its filters.
    filters
        The filters as text.
    tree
        The filters as a tree; None without filters.
    """

    words: str
    filters: tuple[str, ...]
    tree: Tree | None


@dataclass(frozen=True)
class _Alternative:
    """One alternative of a value: a text with a comparison sign, or the two ends of a range."""

    operator: Operator | None
    text: str
    until: str | None = None


def parse_query(query: str, columns: Collection[str]) -> ParsedQuery:
    """Split a typed query into words and filters; `columns` are those of the library.

    Raises InputError for an operator with an impossible value.
    """
    words: list[str] = []
    filters: list[str] = []
    trees: list[Tree] = []
    position = begin = 0
    end = len(query) if ":" in query else 0  # every filter has a colon
    while position < end:
        phrase = _PHRASE.match(query, position)
        found = None if phrase else _FILTER.match(query, position)
        read = _operator_of(found[2], columns) if found and _starts_word(query, position) else None
        if found and read and found[2].lower() not in _RESERVED:
            before, separate_sign = _without_sign(query[begin:position], found[1])
            is_negative = "-" in (found[1], separate_sign)
            words.append(before)
            filters.append(("-" if is_negative else "") + found[0].lstrip("+-"))
            tree = read(found[3])
            trees.append(Not(tree) if is_negative else tree)
            position = begin = found.end()
        else:
            position = phrase.end() if phrase else position + 1
    words.append(query[begin:])
    remaining = " ".join(piece.strip() for piece in words if piece.strip())
    if any(role in columns for role in DATE_ROLES):
        remaining, day = without_relative_date(remaining)
        if day is not None:
            filters.append(f"date:{day}")
            trees.append(Condition("date", "=", day))
    if not trees:
        return ParsedQuery(remaining, (), None)
    tree = And(tuple(trees))
    check_size(tree)
    return ParsedQuery(remaining, tuple(filters), tree)


def parse_filter(text: str, columns: Collection[str]) -> Tree:
    """Return the tree of a text of filters. Raises InputError for words in it, and as `parse_query` does."""
    if len(text) > MAX_FILTER_CHARACTERS:
        raise OutOfRangeError(
            expected=f"a filter of at most {MAX_FILTER_CHARACTERS} characters", got=str(len(text))
        )
    found = parse_query(text, columns)
    if found.words:
        known = ", ".join(sorted({*_OPERATORS, *columns}))
        raise ParseError(
            expected="filters such as year:2020 or -tag:draft",
            got=_excerpt(found.words),
            hint=f"known: {known}",
        )
    return found.tree or And(())


def is_filter_name(name: str, columns: Collection[str]) -> bool:
    """Return whether a name before a colon is that of a filter, or `id` or `image`."""
    return name.lower() in _RESERVED or _operator_of(name, columns) is not None


def _starts_word(query: str, position: int) -> bool:
    return position == 0 or query[position - 1].isspace()


def _without_sign(before: str, own: str | None) -> tuple[str, str | None]:
    """Return the text before a filter without a separate + or - at its end, and that sign."""
    sign = None if own else _SIGN_ALONE.search(before)
    return (before[: sign.start()], sign[1]) if sign else (before, None)


def _operator_of(name: str, columns: Collection[str]) -> Callable[[str], Tree] | None:
    """Return the parser of the value after a name; None for a name that is neither operator nor column.

    A column of the library takes precedence over an operator of the same name.
    """
    column = next((known for known in columns if known == name), None) or next(
        (known for known in columns if known.lower() == name.lower()), None
    )
    built_in = _OPERATORS.get(name.lower())
    if built_in and (column is None or name.lower() in _OF_COLUMNS):
        return built_in
    return None if column is None else lambda value: _any(column, value, _compared(column))


def _any(name: str, value: str, read: Callable[[_Alternative], Tree]) -> Tree:
    """Return the tree of all alternatives of a value."""
    trees = tuple(read(alternative) for alternative in _alternatives(name, value))
    return trees[0] if len(trees) == 1 else Or(trees)


def _alternatives(name: str, value: str) -> list[_Alternative]:
    alternatives, position = [], 0
    while True:
        found = _ALTERNATIVE.match(value, position)
        if found is None or not found[2]:
            raise ParseError(
                expected=f"a value after {name}: as in {name}:a or {name}:a,b", got=_excerpt(value)
            )
        alternatives.append(_alternative(found[1], found[2]))
        position = found.end()
        if not found[3]:
            return alternatives


def _alternative(sign: str | None, text: str) -> _Alternative:
    if text.startswith('"'):
        return _Alternative(_sign(sign), text[1:-1].replace('""', '"'))
    low, dots, high = text.partition("..")
    if dots and sign is None and (low or high):
        return _Alternative(None, low, high)
    return _Alternative(_sign(sign), text)


def _sign(sign: str | None) -> Operator | None:
    known: dict[str | None, Operator] = {
        "=": "=",
        "!=": "!=",
        "<": "<",
        "<=": "<=",
        ">": ">",
        ">=": ">=",
        "~": "contains",
    }
    return known.get(sign)


def _compared(column: str, plain: Operator = "=", suffix: str = "") -> Callable[[_Alternative], Tree]:
    """Return a parser of alternatives as conditions on a column; `plain` is the operator without a sign."""

    def read(alternative: _Alternative) -> Tree:
        if alternative.until is None:
            return Condition(
                column,
                alternative.operator or plain,
                alternative.text + ("" if alternative.operator else suffix),
            )
        ends: list[tuple[Operator, str]] = [(">=", alternative.text), ("<=", alternative.until)]
        parts = tuple(Condition(column, operator, text) for operator, text in ends if text)
        return And(parts)

    return read


def _column(column: str, plain: Operator = "=", suffix: str = "") -> Callable[[str], Tree]:
    return lambda value: _any(column, value, _compared(column, plain, suffix))


def _plain(name: str, column: str, operator: Operator) -> Callable[[str], Tree]:
    """Return the parser of an operator whose values have neither sign nor range."""

    def read(alternative: _Alternative) -> Tree:
        if alternative.operator or alternative.until is not None:
            raise ParseError(
                expected=f"a plain value after {name}:", got="a comparison", hint="compare a column instead"
            )
        return Condition(column, operator, alternative.text)

    return lambda value: _any(name, value, read)


def _size(value: str) -> Tree:
    return _any("size", value, _sized)


def _sized(alternative: _Alternative) -> Tree:
    """Return a condition on megapixels or bytes, by the unit; the first end of a range may omit it."""
    if alternative.until is None and alternative.operator is not None and alternative.operator != "contains":
        return _amount(alternative.operator, alternative.text)
    if alternative.until is None:
        raise _size_refusal(alternative.text)
    unit = _SIZE.fullmatch(alternative.until)
    low = alternative.text + (
        unit[2] if unit and alternative.text and not _SIZE.fullmatch(alternative.text) else ""
    )
    parts = []
    if low:
        parts.append(_amount(">=", low))
    if alternative.until:
        parts.append(_amount("<=", alternative.until))
    if len({part.column for part in parts}) != 1:
        raise _size_refusal(f"{alternative.text}..{alternative.until}")
    return And(tuple(parts))


def _amount(operator: Operator, text: str) -> Condition:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise _size_refusal(text)
    number, unit = float(found[1]), found[2].lower()
    if unit == "mp":
        return Condition("megapixels", operator, number)
    return Condition("size_bytes", operator, number * _BYTES[unit])


def _size_refusal(found: str) -> InputError:
    return ParseError(
        expected="size: with a comparison and a unit, as in size:>2mp, size:<=500kb or size:1mb..5mb",
        got=_excerpt(found),
    )


def _near(value: str) -> Tree:
    found = _POINT.fullmatch(value.strip('"').replace(" ", ""))
    try:
        latitude, longitude = (float(found[1]), float(found[2])) if found else (None, None)
        radius = float(found[3]) if found and found[3] else _NEAR_KM
    except ValueError:
        latitude = longitude = None
    if found is None or latitude is None or longitude is None:
        raise ParseError(
            expected="near: with latitude, longitude and distance, as in near:48.85,2.35,5km",
            got=_excerpt(value),
        )
    is_metres = (found[4] or "").lower() == "m"
    return near_of(latitude, longitude, radius / 1000 if is_metres else radius)


def _has(value: str) -> Tree:
    def read(alternative: _Alternative) -> Tree:
        return Condition(alternative.text, "exists", True)

    return _any("has", value, read)


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


_OPERATORS: dict[str, Callable[[str], Tree]] = {
    "after": _plain("after", "date", ">="),
    "before": _plain("before", "date", "<"),
    "date": _column("date"),
    "year": _column("year"),
    "in": _plain("in", "folder", "within"),
    "type": _column("type"),
    "size": _size,
    "megapixels": _column("megapixels"),
    "orientation": _plain("orientation", "orientation", "="),
    "camera": _column("camera", "contains", "*"),
    "tag": _column("tag"),
    "caption": _column("caption", "contains"),
    "title": _column("title", "contains"),
    "name": _column("name", "contains"),
    "place": _column("place", "contains"),
    "country": _column("country"),
    "near": _near,
    "has": _has,
    "is": _plain("is", "is", "="),
}
_OF_COLUMNS = frozenset({"camera", "caption", "title", "name", "place"})
"""Operators that compare the column of their own name in their own way."""
