"""Filters as Python and JSON write them: mappings.

{"year": {">=": 2020}, "folder": "holiday"}          both
{"any": [{"kind": "png"}, {"not": {"tags": "draft"}}]}   at least one
{"licence": ["CC0", "CC BY"]}                        one of the values
{"near": [48.85, 2.35, 5]}                           latitude, longitude, kilometres
{"camera": None}                                     no value
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from snapseek.errors import InputError
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
    SizeCheck,
    Tree,
    check_size,
)

MAX_VALUES = 1000
MAX_VALUE_CHARACTERS = 1000
_HALF_TURN = 20_040.0  # kilometres: no place is farther


def from_mapping(where: Mapping[str, Any]) -> Tree:
    """The tree that a mapping says. Raises InputError for one that is malformed or too large."""
    tree = _every(where, 1, SizeCheck())
    check_size(tree)
    return tree


def near_of(latitude: float, longitude: float, radius_km: float) -> GeoWithin:
    """The condition. Raises InputError for numbers that are no place or no distance."""
    if not (abs(latitude) <= 90 and abs(longitude) <= 180 and 0 < radius_km <= _HALF_TURN):
        raise InputError(
            "expected near with a latitude from -90 to 90, a longitude from -180 to 180 and a distance above "
            f"0 km, found {latitude:g}, {longitude:g}, {radius_km:g}"
        )
    return GeoWithin(float(latitude), float(longitude), float(radius_km))


def _every(where: object, depth: int, size: SizeCheck) -> Tree:
    size.add(depth, is_condition=False)
    if not isinstance(where, Mapping):
        raise InputError(
            f'expected a filter such as {{"year": {{">=": 2020}}}}, found {type(where).__name__}'
        )
    return And(tuple(_entry(name, value, depth, size) for name, value in where.items()))


def _entry(name: object, value: object, depth: int, size: SizeCheck) -> Tree:
    match name:
        case "any":
            return Or(tuple(_every(part, depth + 1, size) for part in _listed(name, value)))
        case "all":
            return And(tuple(_every(part, depth + 1, size) for part in _listed(name, value)))
        case "not":
            return Not(_every(value, depth + 1, size))
        case "near":
            size.add(depth, is_condition=True)
            return _near(value)
        case str():
            return _column(name, value, depth, size)
    raise InputError(f"expected the name of a column, found {type(name).__name__}")


def _listed(name: str, value: object) -> Sequence[object]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise InputError(f'expected a list of filters after "{name}", found {type(value).__name__}')
    return value


def _near(value: object) -> GeoWithin:
    numbers = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []
    if len(numbers) != 3 or not all(_is_number(number) for number in numbers):
        raise InputError('expected [latitude, longitude, kilometres] after "near"')
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
        raise InputError(
            f"expected one of {expected} after the column {_shown(name)}, found {operator!r:.40}"
        )
    if known == "exists":
        if not isinstance(value, bool):
            raise InputError(f"expected true or false after {_shown(name)} exists, found {value!r:.40}")
        return Condition(name, known, value)
    if known != "in":
        return Condition(name, known, _scalar(name, value))
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise InputError(f"expected a list of values after {_shown(name)} in, found {type(value).__name__}")
    if len(value) > MAX_VALUES:
        raise InputError(f"expected at most {MAX_VALUES} values for {_shown(name)}, found {len(value)}")
    return Condition(name, known, tuple(_scalar(name, entry) for entry in value))


def _scalar(name: str, value: object) -> Scalar:
    if isinstance(value, str):
        if len(value) > MAX_VALUE_CHARACTERS:
            raise InputError(
                f"expected a value of at most {MAX_VALUE_CHARACTERS} characters for {_shown(name)}, "
                f"found {len(value)}"
            )
        return value
    if isinstance(value, bool | date):  # a datetime is a date, too
        return value
    if isinstance(value, int | float):
        if not abs(value) <= LARGEST:  # nor is NaN
            raise InputError(f"expected a finite number for {_shown(name)}, found {value!r:.40}")
        return value
    raise InputError(
        f"expected a text, a number, a date, true or false for {_shown(name)}, found {type(value).__name__}"
    )


def _shown(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:37] + "...")
