"""The rows that a filter selects, shard by shard, prepared for searches."""

import threading
from collections.abc import Sequence

import numpy as np

from snapseek.cancellation import check_cancelled
from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.filters.ast import And, Not, Or, Tree
from snapseek.library.storage.shard_view import Allowed, Rows, ShardView
from snapseek.lru import LruCache


def mask_of(tree: Tree, columns: ColumnStore) -> Flags:
    """Return a read-only mask, (rows,) bool, of a typechecked filter tree.

    Raises OperationCancelledError between conditions once the result is no longer wanted.
    """
    check_cancelled()
    if isinstance(tree, Not):
        return np.logical_not(mask_of(tree.part, columns))
    if not isinstance(tree, And | Or):
        return columns.mask(tree)
    join = np.logical_and if isinstance(tree, And) else np.logical_or
    found = np.full(columns.rows, isinstance(tree, And), np.bool_)
    for part in tree.parts:
        join(found, mask_of(part, columns), out=found)
    return found


_MAX_CACHED = 16
_CHUNK_ROWS = 1 << 16


class Selection:
    """The living rows that a filter selects. Safe to use from many threads.

    Parameters
    ----------
    parts
        The shards.
    tree
        A typechecked filter tree; None selects all living rows.
    """

    def __init__(self, parts: Sequence[ShardView], tree: Tree | None) -> None:
        self._parts = parts
        self.masks: list[Flags | None] = [_living_mask(part, tree) for part in parts]
        """For each shard (rows,) bool in scan order; None if every row is selected."""
        self._has_no_filter = tree is None
        self.counts = [
            len(part.shard) if mask is None else int(np.count_nonzero(mask))
            for part, mask in zip(parts, self.masks, strict=True)
        ]
        self._allowed: dict[int, Allowed] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of selected rows."""
        return sum(self.counts)

    def allowed(self, number: int) -> Allowed:
        """Return the filter to pass to a search of that shard."""
        if self._has_no_filter:
            return self._parts[number].allowed
        with self._lock:
            if number not in self._allowed:
                mask = self.masks[number]
                index = self._parts[number].shard.index
                self._allowed[number] = None if mask is None else index.filter(mask, by_row=True)
            return self._allowed[number]

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


def _living_mask(part: ShardView, tree: Tree | None) -> Flags | None:
    if tree is None:
        return part.alive
    mask = mask_of(tree, part.shard.columns)
    return mask if part.alive is None else mask & part.alive


class SelectionCache:
    """The selections of recent filters. Safe to use from many threads."""

    def __init__(self, parts: Sequence[ShardView]) -> None:
        self._parts = parts
        self._selections: LruCache[Tree | None, Selection] = LruCache(_MAX_CACHED)

    def of(self, tree: Tree | None) -> Selection:
        """Return the selection of a typechecked filter tree."""
        selection = self._selections.get(tree)
        if selection is None:
            selection = Selection(self._parts, tree)
            self._selections.put(tree, selection)
        return selection
