"""Filters as people type them: `after:2023 -tag:draft` between the words of a query, or alone. Pure.

    after:2023  before:2024-06  year:2019..2021  date:2024-06-01
    in:holiday  type:png,webp  orientation:portrait  size:>2mp  size:<500kb
    camera:x100  tag:beach  caption:"red door"  name:img*  near:48.85,2.35,5km
    column:value  column:>3  column:a..b  column:~words  has:column  -has:column

An operator is a name, a colon and a value without space between, at the start of a word; `-` before it turns
it round. Values after commas are alternatives; quotes keep spaces, commas and signs. What is no operator and
no column of the library is left in the query, as is all that stands in quotes. docs/SEARCH.md tells users.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from snapseek.errors import InputError
from snapseek.library.filters.ast import And, Condition, Not, Operator, Or, Tree, check_size
from snapseek.library.filters.from_mapping import near_of

MAX_FILTER_CHARACTERS = 4000

_QUOTED = r'"(?:[^"]|"")*+"'
_PHRASE = re.compile(rf"(?:(?:[0-9.]+|id|image):)?{_QUOTED}")
_FILTER = re.compile(rf"([+-])?([^\W\d][\w.-]*):((?:{_QUOTED}|[^\s\"])++)")
_SIGN_ALONE = re.compile(r"(?<!\S)([+-])\s+\Z")
_ITEM = re.compile(rf"(>=|<=|!=|[<>=~])?({_QUOTED}|[^,\"]*+)(,|\Z)")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(mp|kb|mb|gb|b|kib|mib|gib)", re.IGNORECASE)
_PLACE = re.compile(r"([+-]?[0-9.]+),([+-]?[0-9.]+)(?:,([0-9.]+)(km|m)?)?", re.IGNORECASE)
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_NEAR_KM = 5.0
_RESERVED = frozenset({"id", "image"})  # of the query language


@dataclass(frozen=True)
class ParsedQuery:
    """A typed query taken apart: its words, and what was read as filters, as text and as a tree."""

    words: str
    filters: tuple[str, ...]
    tree: Tree | None


@dataclass(frozen=True)
class _Item:
    """One of the alternatives of a value: a text with a sign of comparison, or two ends of a range."""

    operator: Operator | None
    text: str
    until: str | None = None


def parse_query(query: str, columns: Collection[str]) -> ParsedQuery:
    """Take the filters out of a typed query; `columns` are those of the library.

    Raises InputError for an operator with a value that it cannot have.
    """
    words: list[str] = []
    filters: list[str] = []
    trees: list[Tree] = []
    at = begun = 0
    while at < len(query):
        phrase = _PHRASE.match(query, at)
        found = None if phrase else _FILTER.match(query, at)
        read = _operator_of(found[2], columns) if found and _starts_word(query, at) else None
        if found and read and found[2].lower() not in _RESERVED:
            before, alone = _without_sign(query[begun:at], found[1])
            is_negative = "-" in (found[1], alone)
            words.append(before)
            filters.append(("-" if is_negative else "") + found[0].lstrip("+-"))
            tree = read(found[3])
            trees.append(Not(tree) if is_negative else tree)
            at = begun = found.end()
        else:
            at = phrase.end() if phrase else at + 1
    words.append(query[begun:])
    rest = " ".join(piece.strip() for piece in words if piece.strip())
    if not trees:
        return ParsedQuery(rest, (), None)
    tree = And(tuple(trees))
    check_size(tree)
    return ParsedQuery(rest, tuple(filters), tree)


def parse_filter(text: str, columns: Collection[str]) -> Tree:
    """The tree of a text of filters alone. Raises InputError for words in it, and as `split` does."""
    if len(text) > MAX_FILTER_CHARACTERS:
        raise InputError(
            f"expected a filter of at most {MAX_FILTER_CHARACTERS} characters, found {len(text)}"
        )
    found = parse_query(text, columns)
    if found.words:
        known = ", ".join(sorted({*_OPERATORS, *columns}))
        raise InputError(
            f"expected filters such as year:2020 or -tag:draft, found {_shown(found.words)}; known: {known}"
        )
    return found.tree or And(())


def _starts_word(query: str, at: int) -> bool:
    return at == 0 or query[at - 1].isspace()


def _without_sign(before: str, own: str | None) -> tuple[str, str | None]:
    """The text before a filter without a + or - that stands alone at its end, and that sign."""
    sign = None if own else _SIGN_ALONE.search(before)
    return (before[: sign.start()], sign[1]) if sign else (before, None)


def _operator_of(name: str, columns: Collection[str]) -> Callable[[str], Tree] | None:
    """What reads the value after this name; None where it is no operator and no column.

    A column of the library goes before an operator of the same name.
    """
    column = next((known for known in columns if known == name), None) or next(
        (known for known in columns if known.lower() == name.lower()), None
    )
    built_in = _OPERATORS.get(name.lower())
    if built_in and (column is None or name.lower() in _OF_COLUMNS):
        return built_in
    return None if column is None else lambda value: _any(column, value, _compared(column))


def _any(name: str, value: str, read: Callable[[_Item], Tree]) -> Tree:
    """At least one of the alternatives of a value."""
    trees = tuple(read(item) for item in _items(name, value))
    return trees[0] if len(trees) == 1 else Or(trees)


def _items(name: str, value: str) -> list[_Item]:
    items, at = [], 0
    while True:
        found = _ITEM.match(value, at)
        if found is None or not found[2]:
            raise InputError(
                f"expected a value after {name}: as in {name}:a or {name}:a,b, found {_shown(value)}"
            )
        items.append(_item(found[1], found[2]))
        at = found.end()
        if not found[3]:
            return items


def _item(sign: str | None, text: str) -> _Item:
    if text.startswith('"'):
        return _Item(_sign(sign), text[1:-1].replace('""', '"'))
    low, dots, high = text.partition("..")
    if dots and sign is None and (low or high):
        return _Item(None, low, high)
    return _Item(_sign(sign), text)


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


def _compared(column: str, plain: Operator = "=", suffix: str = "") -> Callable[[_Item], Tree]:
    """Reads an item as a condition on a column; without a sign it is `plain`."""

    def read(item: _Item) -> Tree:
        if item.until is None:
            return Condition(column, item.operator or plain, item.text + ("" if item.operator else suffix))
        ends: list[tuple[Operator, str]] = [(">=", item.text), ("<=", item.until)]
        parts = tuple(Condition(column, operator, text) for operator, text in ends if text)
        return And(parts)

    return read


def _column(column: str, plain: Operator = "=", suffix: str = "") -> Callable[[str], Tree]:
    return lambda value: _any(column, value, _compared(column, plain, suffix))


def _plain(name: str, column: str, operator: Operator) -> Callable[[str], Tree]:
    """An operator whose value is a plain one, without sign or range."""

    def read(item: _Item) -> Tree:
        if item.operator or item.until is not None:
            raise InputError(
                f"expected a plain value after {name}:, found a comparison; name a column for it"
            )
        return Condition(column, operator, item.text)

    return lambda value: _any(name, value, read)


def _size(value: str) -> Tree:
    return _any("size", value, _sized)


def _sized(item: _Item) -> Tree:
    """Megapixels or bytes, by the unit; the first end of a range may leave it to the second."""
    if item.until is None and item.operator is not None and item.operator != "contains":
        return _amount(item.operator, item.text)
    if item.until is None:
        raise _size_refusal(item.text)
    unit = _SIZE.fullmatch(item.until)
    low = item.text + (unit[2] if unit and item.text and not _SIZE.fullmatch(item.text) else "")
    parts = []
    if low:
        parts.append(_amount(">=", low))
    if item.until:
        parts.append(_amount("<=", item.until))
    if len({part.column for part in parts}) != 1:
        raise _size_refusal(f"{item.text}..{item.until}")
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
    return InputError(
        "expected size: with a comparison and a unit, as in size:>2mp, size:<=500kb or size:1mb..5mb, "
        f"found {_shown(found)}"
    )


def _near(value: str) -> Tree:
    found = _PLACE.fullmatch(value.strip('"').replace(" ", ""))
    try:
        latitude, longitude = (float(found[1]), float(found[2])) if found else (None, None)
        radius = float(found[3]) if found and found[3] else _NEAR_KM
    except ValueError:
        latitude = longitude = None
    if found is None or latitude is None or longitude is None:
        raise InputError(
            "expected near: with latitude, longitude and distance, as in near:48.85,2.35,5km, "
            f"found {_shown(value)}"
        )
    is_metres = (found[4] or "").lower() == "m"
    return near_of(latitude, longitude, radius / 1000 if is_metres else radius)


def _has(value: str) -> Tree:
    def read(item: _Item) -> Tree:
        return Condition(item.text, "exists", True)

    return _any("has", value, read)


def _shown(text: str) -> str:
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
    "near": _near,
    "has": _has,
}
_OF_COLUMNS = frozenset({"camera", "caption", "title", "name"})
"""Operators that ask the column of their own name, each in a way of its own."""
