"""The size of a filter, and the form that all its spellings share."""

from snapseek.errors import OutOfRangeError
from snapseek.library.filters.ast import And, Condition, GeoWithin, Not, Or, Tree

MAX_DEPTH = 16
MAX_CONDITIONS = 256
MAX_NODES = 1024
"""Conditions, lists and negations; an empty list counts as well."""


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
        if isinstance(part, And | Or):
            pending += [(child, depth + 1) for child in part.parts]
        elif isinstance(part, Not):
            pending.append((part.part, depth + 1))


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
