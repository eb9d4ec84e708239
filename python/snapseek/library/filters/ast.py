"""The syntax tree of a filter: conditions joined by and, or, not.

A tree is true or false for a picture. A condition is false for a picture without a value in its column, so
`Not` of a condition is true for it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains", "prefix", "within", "exists"]
OPERATORS: tuple[Operator, ...] = (
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "contains",
    "prefix",
    "within",
    "exists",
)
Scalar = str | int | float | bool | date | datetime
Value = Scalar | tuple[Scalar, ...]

LARGEST = 1e300
"""The largest absolute value of a number in a filter."""


@dataclass(frozen=True)
class Condition:
    """A column compared with a value; `in` has a tuple of values, `exists` has True or False."""

    column: str
    operator: Operator
    value: Value


@dataclass(frozen=True)
class GeoWithin:
    """The picture was taken within `radius_km` of a point, by great-circle distance."""

    latitude: float
    longitude: float
    radius_km: float


@dataclass(frozen=True)
class And:
    """All parts are true; without parts: always true."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True)
class Or:
    """At least one part is true; without parts: never true."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True)
class Not:
    """The part is false."""

    part: "Tree"


Tree = Condition | GeoWithin | And | Or | Not
