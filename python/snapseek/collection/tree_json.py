"""Typechecked filter trees as JSON lists, from a router to its partitions.

["and", part, ...]  ["or", part, ...]  ["not", part]  ["near", latitude, longitude, km]
["if", column, operator, value]
"""

from typing import Any

from snapseek.collection.frames import excerpt
from snapseek.errors import ParseError
from snapseek.library.filters.ast import OPERATORS, And, Condition, GeoWithin, Not, Or, Scalar, Tree, Value
from snapseek.library.filters.from_mapping import MAX_VALUES, near_of
from snapseek.library.filters.normal_form import MAX_DEPTH, check_size
from snapseek.library.filters.typecheck import ORIENTATION, ORIENTATIONS

_MAX_CHARACTERS = 1 << 17


def tree_to_json(tree: Tree | None) -> Any:
    """Return a typechecked tree as JSON; None for None."""
    if tree is None:
        return None
    if isinstance(tree, And | Or):
        return ["and" if isinstance(tree, And) else "or", *map(tree_to_json, tree.parts)]
    if isinstance(tree, Not):
        return ["not", tree_to_json(tree.part)]
    if isinstance(tree, GeoWithin):
        return ["near", tree.latitude, tree.longitude, tree.radius_km]
    value = list(tree.value) if isinstance(tree.value, tuple) else tree.value
    return ["if", tree.column, tree.operator, value]


def tree_from_json(value: object) -> Tree | None:
    """Return the tree. Raises InputError for a malformed or too large one."""
    if value is None:
        return None
    tree = _tree(value, 1)
    check_size(tree)
    return tree


def _tree(value: object, depth: int) -> Tree:
    if not isinstance(value, list) or not value or depth > MAX_DEPTH:
        raise _refusal(value)
    kind, *parts = value
    if kind == "and":
        return And(tuple(_tree(part, depth + 1) for part in parts))
    if kind == "or":
        return Or(tuple(_tree(part, depth + 1) for part in parts))
    if kind == "not" and len(parts) == 1:
        return Not(_tree(parts[0], depth + 1))
    if kind == "near" and len(parts) == 3 and all(type(part) in (int, float) for part in parts):
        return near_of(*parts)
    if kind == "if" and len(parts) == 3:
        return _condition(*parts)
    raise _refusal(value)


def _condition(column: object, operator: object, value: object) -> Tree:
    known = next((known for known in OPERATORS if known == operator), None)
    is_list = isinstance(value, list)
    if not isinstance(column, str) or known is None or is_list != (known == "in"):
        raise _refusal([column, operator, value])
    if column == ORIENTATION and value not in ORIENTATIONS:
        raise _refusal(value)
    if known == "exists" and value is not True:
        raise _refusal(value)
    typed: Value = tuple(map(_scalar, value)) if isinstance(value, list) else _scalar(value)
    if isinstance(typed, tuple) and len(typed) > MAX_VALUES:
        raise _refusal(f"{len(typed)} values")
    return Condition(column, known, typed)


def _scalar(value: object) -> Scalar:
    if isinstance(value, bool | int | float) and abs(value) <= 1e300:
        return value
    if isinstance(value, str) and len(value) <= _MAX_CHARACTERS:
        return value
    raise _refusal(value)


def _refusal(value: object) -> ParseError:
    return ParseError(expected="a filter of a router", got=excerpt(value))
