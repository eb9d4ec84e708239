"""Parses filters from mappings, as Python and JSON have them.

{"year": {">=": 2020}, "folder": "holiday"}          both
{"any": [{"kind": "png"}, {"not": {"tags": "draft"}}]}   at least one
{"licence": ["CC0", "CC BY"]}                        one of the values
{"near": [48.85, 2.35, 5]}                           latitude, longitude, kilometres
{"camera": None}                                     no value
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from snapseek.errors import NonFiniteError, OutOfRangeError, ParseError, UnknownChoiceError
from snapseek.library.filters.ast import (
    LARGEST,
    OPERATORS,
    And,
    Condition,
    GeoWithin,
    Not,
    Operator,
    Or,
    Scalar,
    Tree,
)
from snapseek.library.filters.normal_form import SizeCheck, check_size

MAX_VALUES = 1000
MAX_VALUE_CHARACTERS = 1000
_MAX_RADIUS_KM = 20_040.0
"""Half of the circumference of the Earth."""


def from_mapping(where: Mapping[str, Any]) -> Tree:
    """Return the tree of a mapping. Raises InputError for one that is malformed or too large."""
    tree = _all_of(where, 1, SizeCheck())
    check_size(tree)
    return tree


def near_of(latitude: float, longitude: float, radius_km: float) -> GeoWithin:
    """Return the condition. Raises InputError for an impossible position or distance."""
    if not (abs(latitude) <= 90 and abs(longitude) <= 180 and 0 < radius_km <= _MAX_RADIUS_KM):
        raise OutOfRangeError(
            expected="near with a latitude from -90 to 90, a longitude from -180 to 180 and a distance above "
            "0 km",
            got=f"{latitude:g}, {longitude:g}, {radius_km:g}",
        )
    return GeoWithin(float(latitude), float(longitude), float(radius_km))


def _all_of(where: object, depth: int, size: SizeCheck) -> Tree:
    size.add(depth, is_condition=False)
    if not isinstance(where, Mapping):
        raise ParseError(expected='a filter such as {"year": {">=": 2020}}', got=type(where).__name__)
    return And(tuple(_entry(name, value, depth, size) for name, value in where.items()))


def _entry(name: object, value: object, depth: int, size: SizeCheck) -> Tree:
    match name:
        case "any":
            return Or(tuple(_all_of(part, depth + 1, size) for part in _listed(name, value)))
        case "all":
            return And(tuple(_all_of(part, depth + 1, size) for part in _listed(name, value)))
        case "not":
            return Not(_all_of(value, depth + 1, size))
        case "near":
            size.add(depth, is_condition=True)
            return _near(value)
        case str():
            return _column(name, value, depth, size)
    raise ParseError(expected="the name of a column", got=type(name).__name__)


def _listed(name: str, value: object) -> Sequence[object]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise ParseError(expected=f'a list of filters after "{name}"', got=type(value).__name__)
    return value


def _near(value: object) -> GeoWithin:
    numbers = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []
    if len(numbers) != 3 or not all(_is_number(number) for number in numbers):
        raise ParseError(expected='[latitude, longitude, kilometres] after "near"', got=f"{value!r:.40}")
    return near_of(*numbers)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _column(name: str, value: object, depth: int, size: SizeCheck) -> Tree:
    if isinstance(value, Mapping):
        parts = []
        for operator, operand in value.items():
            size.add(depth, is_condition=True)
            parts.append(_compared(name, operator, operand))
        return And(tuple(parts))
    size.add(depth, is_condition=True)
    if value is None:
        return Condition(name, "exists", False)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _compared(name, "in", value)
    return Condition(name, "=", _scalar(name, value))


def _compared(name: str, operator: object, value: object) -> Condition:
    known: Operator | None = next((known for known in OPERATORS if known == operator), None)
    if known is None:
        expected = " ".join(OPERATORS)
        raise UnknownChoiceError(
            expected=f"one of {expected} after the column {_excerpt(name)}", got=f"{operator!r:.40}"
        )
    if known == "exists":
        if not isinstance(value, bool):
            raise ParseError(expected=f"true or false after {_excerpt(name)} exists", got=f"{value!r:.40}")
        return Condition(name, known, value)
    if known != "in":
        return Condition(name, known, _scalar(name, value))
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise ParseError(expected=f"a list of values after {_excerpt(name)} in", got=type(value).__name__)
    if len(value) > MAX_VALUES:
        raise OutOfRangeError(
            expected=f"at most {MAX_VALUES} values for {_excerpt(name)}", got=str(len(value))
        )
    return Condition(name, known, tuple(_scalar(name, entry) for entry in value))


def _scalar(name: str, value: object) -> Scalar:
    if isinstance(value, str):
        if len(value) > MAX_VALUE_CHARACTERS:
            raise OutOfRangeError(
                expected=f"a value of at most {MAX_VALUE_CHARACTERS} characters for {_excerpt(name)}",
                got=str(len(value)),
            )
        return value
    if isinstance(value, bool | date):  # a datetime is a date, too
        return value
    if isinstance(value, int | float):
        if not abs(value) <= LARGEST:  # NaN fails too
            raise NonFiniteError(expected=f"a finite number for {_excerpt(name)}", got=f"{value!r:.40}")
        return value
    raise ParseError(
        expected=f"a text, a number, a date, true or false for {_excerpt(name)}", got=type(value).__name__
    )


def _excerpt(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:37] + "...")
