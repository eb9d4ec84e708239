"""The syntax tree of a filter: conditions joined by and, or, not.

A tree is true or false for a picture. A condition is false for a picture without a value in its column, so
`Not` of a condition is true for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from snapseek.errors import OutOfRangeError

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

MAX_DEPTH = 16
MAX_CONDITIONS = 256
MAX_NODES = 1024
"""Conditions, lists and negations; an empty list counts as well."""

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


def children(tree: Tree) -> tuple[Tree, ...]:
    """Return the direct children of a tree."""
    if isinstance(tree, And | Or):
        return tree.parts
    return (tree.part,) if isinstance(tree, Not) else ()


def leaves(tree: Tree) -> Iterator[Condition | GeoWithin]:
    """Yield every condition of a tree."""
    if isinstance(tree, Condition | GeoWithin):
        yield tree
    for part in children(tree):
        yield from leaves(part)


class SizeCheck:
    """Counts the nodes of a tree while it is read or visited."""

    def __init__(self) -> None:
        self._nodes = 0
        self._conditions = 0

    def add(self, depth: int, *, is_condition: bool) -> None:
        """Count a node. Raises InputError for more than 16 levels, 256 conditions or 1024 nodes."""
        self._nodes += 1
        self._conditions += is_condition
        if depth > MAX_DEPTH:
            raise OutOfRangeError(expected=f"a filter of at most {MAX_DEPTH} levels", got="more")
        if self._conditions > MAX_CONDITIONS:
            raise OutOfRangeError(expected=f"a filter of at most {MAX_CONDITIONS} conditions", got="more")
        if self._nodes > MAX_NODES:
            raise OutOfRangeError(expected=f"a filter of at most {MAX_NODES} parts", got="more")


def check_size(tree: Tree) -> None:
    """Raise InputError for a tree of more than 16 levels, 256 conditions or 1024 nodes."""
    size = SizeCheck()
    pending = [(tree, 1)]
    while pending:
        part, depth = pending.pop()
        size.add(depth, is_condition=isinstance(part, Condition | GeoWithin))
        pending += [(child, depth + 1) for child in children(part)]


def normalized(tree: Tree) -> Tree:
    """Return an equivalent tree in normal form, which different spellings of a filter share.

    Nested lists of a kind become one list, sorted and without repeats; a list of one becomes its element; a
    double negation becomes its part.
    """
    if isinstance(tree, Not):
        return _negated(normalized(tree.part))
    if not isinstance(tree, And | Or):
        return tree
    kind = type(tree)
    flat: dict[Tree, None] = {}
    for part in map(normalized, tree.parts):
        flat |= dict.fromkeys(part.parts if isinstance(part, kind) else (part,))
    parts = tuple(sorted(flat, key=repr))
    return parts[0] if len(parts) == 1 else kind(parts)


def _negated(tree: Tree) -> Tree:
    if isinstance(tree, Not):
        return tree.part
    if tree == Or(()):
        return And(())
    return Or(()) if tree == And(()) else Not(tree)
