"""The rows that a filter selects, shard by shard, prepared for searches."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from snapseek.cancellation import check_cancelled
from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.filters.ast import And, Condition, Not, Or, Tree
from snapseek.library.filters.typecheck import CONCEPT
from snapseek.library.storage.shard_view import Allowed, Rows, ShardView

Members = Callable[[int, str], Flags]
"""Returns which rows of a shard, by its number, show the concept of a key."""


def mask_of(tree: Tree, columns: ColumnStore, number: int = 0, members: Members | None = None) -> Flags:
    """Return a read-only mask, (rows,) bool, of a typechecked filter tree.

    Concepts need the number of the shard, and `members`; without it no row shows one.

    Raises OperationCancelledError between conditions once the result is no longer wanted.
    """
    check_cancelled()
    if isinstance(tree, Not):
        return np.logical_not(mask_of(tree.part, columns, number, members))
    if isinstance(tree, Condition) and tree.column == CONCEPT:
        return np.zeros(columns.rows, np.bool_) if members is None else members(number, str(tree.value))
    if not isinstance(tree, And | Or):
        return columns.mask(tree)
    join = np.logical_and if isinstance(tree, And) else np.logical_or
    found = np.full(columns.rows, isinstance(tree, And), np.bool_)
    for part in tree.parts:
        join(found, mask_of(part, columns, number, members), out=found)
    return found


_CHUNK_ROWS = 1 << 16


class Selection:
    """The living rows that a filter selects. Safe to use from many threads.

    Parameters
    ----------
    parts
        The shards.
    tree
        A typechecked filter tree; None selects all living rows.
    members
        What finds the pictures of concepts.
    """

    def __init__(self, parts: Sequence[ShardView], tree: Tree | None, members: Members | None = None) -> None:
        self._parts = parts
        self.masks: list[Flags | None] = [
            part.alive if tree is None else _living_mask(part, tree, number, members)
            for number, part in enumerate(parts)
        ]
        """For each shard (rows,) bool in scan order; None if every row is selected."""
        self._has_no_filter = tree is None
        self._counts = [
            len(part.shard) if mask is None else int(np.count_nonzero(mask))
            for part, mask in zip(parts, self.masks, strict=True)
        ]
        self.count = sum(self._counts)
        """The number of selected rows."""

    @cached_property
    def allowed(self) -> list[Allowed]:
        """For each shard the filter to pass to a search of it."""
        if self._has_no_filter:
            return [part.allowed for part in self._parts]
        return [
            None if mask is None else part.shard.index.filter(mask, by_row=True)
            for part, mask in zip(self._parts, self.masks, strict=True)
        ]

    def count_in(self, number: int) -> int:
        """Return the number of selected rows of a shard."""
        return self._counts[number]

    def has(self, number: int, row: int) -> bool:
        """Return whether a row of a shard is selected."""
        mask = self.masks[number]
        return mask is None or bool(mask[row])

    def rows_by_id(self, number: int, start: int, end: int) -> list[int]:
        """Return the selected rows of a shard from position `start` to `end` in ascending order of id."""
        order, mask = self._parts[number].shard.order, self.masks[number]
        if mask is None:
            return [int(row) for row in order[start:end]]
        found: list[Rows] = []
        seen = 0
        for first in range(0, len(order), _CHUNK_ROWS):
            chunk = order[first : first + _CHUNK_ROWS]
            chunk = chunk[mask[chunk]]
            found.append(chunk[max(0, start - seen) : max(0, end - seen)])
            seen += len(chunk)
            if seen >= end:
                break
        return [int(row) for part in found for row in part]


def _living_mask(part: ShardView, tree: Tree, number: int, members: Members | None) -> Flags:
    mask = mask_of(tree, part.shard.columns, number, members)
    return mask if part.alive is None else mask & part.alive
