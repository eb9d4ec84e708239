"""What a filter says, however it was written: a tree of conditions. Pure data.

A tree is asked of one picture and is true or false: a picture without the value that a condition is about
does not fulfil it. So `Not` of a condition is true for all the others, also for those without a value.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from snapseek.errors import InputError

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
"""Conditions, and the lists and negations that hold them; an empty list counts as well."""

LARGEST = 1e300
"""No number of a filter is farther from 0."""


@dataclass(frozen=True)
class Condition:
    """A column compared with a value; `in` has a tuple of values, `exists` has True or False."""

    column: str
    operator: Operator
    value: Value


@dataclass(frozen=True)
class GeoWithin:
    """Taken within `radius_km` of a place, on the sphere."""

    latitude: float
    longitude: float
    radius_km: float


@dataclass(frozen=True)
class And:
    """All of the parts hold; of none: always true."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True)
class Or:
    """At least one of the parts holds; of none: never true."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: "Tree"


Tree = Condition | GeoWithin | And | Or | Not


def children(tree: Tree) -> tuple[Tree, ...]:
    """The trees that a tree is made of."""
    if isinstance(tree, And | Or):
        return tree.parts
    return (tree.part,) if isinstance(tree, Not) else ()


def leaves(tree: Tree) -> Iterator[Condition | GeoWithin]:
    """Every condition in it."""
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
            raise InputError(f"expected a filter of at most {MAX_DEPTH} levels, found more")
        if self._conditions > MAX_CONDITIONS:
            raise InputError(f"expected a filter of at most {MAX_CONDITIONS} conditions, found more")
        if self._nodes > MAX_NODES:
            raise InputError(f"expected a filter of at most {MAX_NODES} parts, found more")


def check_size(tree: Tree) -> None:
    """Raises InputError for a tree of more than 16 levels, 256 conditions or 1024 nodes."""
    size = SizeCheck()
    pending = [(tree, 1)]
    while pending:
        part, depth = pending.pop()
        size.add(depth, is_condition=isinstance(part, Condition | GeoWithin))
        pending += [(child, depth + 1) for child in children(part)]


def normalised(tree: Tree) -> Tree:
    """The tree in a form that is the same for many ways to write it; what it says is unchanged.

    Nested lists of a kind are one list, without repeats, in a fixed order; a list of one is that one; two
    negations are none.
    """
    if isinstance(tree, Not):
        return _turned(normalised(tree.part))
    if not isinstance(tree, And | Or):
        return tree
    kind = type(tree)
    flat: dict[Tree, None] = {}
    for part in map(normalised, tree.parts):
        flat |= dict.fromkeys(part.parts if isinstance(part, kind) else (part,))
    parts = tuple(sorted(flat, key=repr))
    return parts[0] if len(parts) == 1 else kind(parts)


def _turned(tree: Tree) -> Tree:
    if isinstance(tree, Not):
        return tree.part
    if tree == Or(()):
        return And(())
    return Or(()) if tree == And(()) else Not(tree)
