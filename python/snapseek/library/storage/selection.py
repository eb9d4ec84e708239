"""Which pictures of a state of a library a filter leaves, ready for searches."""

import threading
from collections.abc import Sequence

import numpy as np

from snapseek.cancellation import check_cancelled
from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.filters.ast import And, Not, Or, Tree
from snapseek.library.storage.shard import Allowed
from snapseek.library.storage.shard_view import Rows, ShardView
from snapseek.lru import LruCache


def rows_of(tree: Tree, facets: ColumnStore) -> Flags:
    """(rows,) flags of a tree that `resolved` gave; not to be changed.

    Raises OperationCancelledError between conditions once nobody waits for the result.
    """
    check_cancelled()
    if isinstance(tree, Not):
        return np.logical_not(rows_of(tree.part, facets))
    if not isinstance(tree, And | Or):
        return facets.mask(tree)
    join = np.logical_and if isinstance(tree, And) else np.logical_or
    found = np.full(facets.rows, isinstance(tree, And), np.bool_)
    for part in tree.parts:
        join(found, rows_of(part, facets), out=found)
    return found


_KEPT = 16
_CHUNK_ROWS = 1 << 16


class Selection:
    """The living pictures for which a filter holds, shard by shard. Safe to use from many threads."""

    def __init__(self, parts: Sequence[ShardView], tree: Tree | None) -> None:
        """`tree` is resolved; None: all living pictures match."""
        self._parts = parts
        self.flags: list[Flags | None] = [_flags(part, tree) for part in parts]
        """For each shard (rows,) flags in scan order; None where every row matches."""
        self._filters_all = tree is None
        self.counts = [
            len(part.shard) if flags is None else int(np.count_nonzero(flags))
            for part, flags in zip(parts, self.flags, strict=True)
        ]
        self._allowed: dict[int, Allowed] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many pictures match."""
        return sum(self.counts)

    def allowed(self, number: int) -> Allowed:
        """What a search of that shard is to be given."""
        if self._filters_all:
            return self._parts[number].allowed
        with self._lock:
            if number not in self._allowed:
                flags = self.flags[number]
                index = self._parts[number].shard.index
                self._allowed[number] = None if flags is None else index.filter(flags, by_row=True)
            return self._allowed[number]

    def has(self, number: int, row: int) -> bool:
        """Whether the picture there matches."""
        flags = self.flags[number]
        return flags is None or bool(flags[row])

    def rows_by_id(self, number: int, start: int, end: int) -> list[int]:
        """The matching rows of a shard whose ids come at these places when all are in rising order."""
        order, flags = self._parts[number].shard.order, self.flags[number]
        if flags is None:
            return [int(row) for row in order[start:end]]
        found: list[Rows] = []
        seen = 0
        for first in range(0, len(order), _CHUNK_ROWS):
            chunk = order[first : first + _CHUNK_ROWS]
            chunk = chunk[flags[chunk]]
            found.append(chunk[max(0, start - seen) : max(0, end - seen)])
            seen += len(chunk)
            if seen >= end:
                break
        return [int(row) for part in found for row in part]


def _flags(part: ShardView, tree: Tree | None) -> Flags | None:
    if tree is None:
        return part.alive
    flags = rows_of(tree, part.shard.columns)
    return flags if part.alive is None else flags & part.alive


class SelectionCache:
    """The matchings that were asked for lately, by their filter."""

    def __init__(self, parts: Sequence[ShardView]) -> None:
        """Of these shards, which never change."""
        self._parts = parts
        self._kept: LruCache[Tree | None, Selection] = LruCache(_KEPT)

    def of(self, tree: Tree | None) -> Selection:
        """The matching of a resolved tree."""
        matching = self._kept.get(tree)
        if matching is None:
            matching = Selection(self._parts, tree)
            self._kept.put(tree, matching)
        return matching
