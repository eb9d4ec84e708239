"""Pages of a sorted list of all partitions, at any depth.

No partition sends all of its rows. Each first sends a sample of its order, evenly spaced, and the router
takes the last row of these samples that is surely before the page. Then each partition sends how many of its
rows are up to that one, and the rows after it. Rows are ordered by sort key, then by id in the collection.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapseek.collection.answers import counted_of, listed_of
from snapseek.collection.frames import Frame
from snapseek.collection.manifest import LOCAL_BITS, MAX_LOCAL_ID
from snapseek.collection.query import Member, PartitionQuery
from snapseek.collection.request_fields import MAX_K
from snapseek.errors import OutOfRangeError
from snapseek.library.storage.rows import RowRef

_SAMPLES = 4096
_PAGE = 2048

Ids = NDArray[np.int64]
CountOf = Callable[[Member, Frame], int | None]
"""Returns the number of pictures that a partition may have; None if its state is a newer one."""


@dataclass(frozen=True)
class _Begin:
    """A row before a page, by its key and id, and how many rows of all partitions are up to it at least."""

    key: int
    item: int
    at_least: int


class SortedPages:
    """The pictures that match a filter, by a sort.

    Parameters
    ----------
    query
        The partitions.
    tree
        The filter as it is sent.
    sort
        The sort.
    count_of
        Returns the number of pictures that a partition may have.
    """

    def __init__(self, query: PartitionQuery, tree: object, sort: str, count_of: CountOf) -> None:
        self._query = query
        self._fields = {"tree": tree, "sort": sort}
        self._count_of = count_of

    def rows(self, start: int, end: int) -> tuple[list[RowRef], int]:
        """Return the pictures from `start` to `end`, and the number of all that match.

        Raises OutOfRangeError beyond some ten million pictures.
        """
        samples = self._samples()
        total = sum(count for count, _, _ in samples.values())
        found: list[RowRef] = []
        for first in range(start, min(end, total), _PAGE):
            page = self._page(samples, first, min(end, total, first + _PAGE))
            if not page:  # a partition miscounts its pictures
                break
            found += page
        return found, total

    def _samples(self) -> dict[int, tuple[int, Ids, Ids]]:
        """Return for each partition the number of matching pictures, and a sample of their ids and keys."""
        frame = Frame({"op": "order", "samples": _SAMPLES, **self._fields})
        return self._query.ask_all(
            "order",
            frame,
            lambda answer, member: listed_of(answer, _SAMPLES, True, self._count_of(member, answer)),
        )

    def _page(self, samples: dict[int, tuple[int, Ids, Ids]], start: int, end: int) -> list[RowRef]:
        begin = _begin_of(samples, start)
        count = end - begin.at_least
        if count > MAX_K:
            raise OutOfRangeError(
                expected="a sorted list of some ten million pictures of a collection",
                got="more",
                hint="select some with a filter, such as year:2024",
            )
        frames = {}
        for number in samples:
            # Of equal keys, lower partitions come first.
            before = begin.item >> LOCAL_BITS
            after = MAX_LOCAL_ID if number < before else begin.item & MAX_LOCAL_ID if number == before else -1
            fields = {"op": "listed_after", "key": begin.key, "item": after, "end": count, **self._fields}
            frames[number] = Frame(fields)
        answers = self._query.ask(
            ("listed after", start, end),
            frames,
            lambda answer, _: (counted_of(answer, "before"), listed_of(answer, count, True, None)),
        )
        numbers = np.concatenate([np.full(len(ids), number) for number, (_, (_, ids, _)) in answers.items()])
        ids = np.concatenate([ids for _, (_, ids, _) in answers.values()])
        keys = np.concatenate([keys for _, (_, _, keys) in answers.values()])
        skipped = max(0, start - sum(before for before, _ in answers.values()))
        order = np.lexsort((ids, numbers, keys))[skipped : skipped + end - start]
        return list(map(RowRef, numbers[order].tolist(), ids[order].tolist()))


def _begin_of(samples: dict[int, tuple[int, Ids, Ids]], start: int) -> _Begin:
    """Return the last sampled row that has at most `start` rows up to it in all partitions.

    A partition has `step` rows for each that it has sampled, so up to a row it has at least `step` times the
    samples up to it, and fewer than `step` more.
    """
    steps = {number: max(1, -(-count // _SAMPLES)) for number, (count, _, _) in samples.items()}
    keys = np.concatenate([keys for _, _, keys in samples.values()])
    ids = np.concatenate([(number << LOCAL_BITS) | ids for number, (_, ids, _) in samples.items()])
    weights = np.concatenate([np.full(len(ids), steps[number]) for number, (_, ids, _) in samples.items()])
    order = np.lexsort((ids, keys))
    at_least = np.cumsum(weights[order])
    at_most = at_least + sum(step - 1 for step in steps.values())
    position = int(np.searchsorted(at_most, start, "right")) - 1
    if position < 0:
        return _Begin(-(2**63), -1, 0)
    return _Begin(int(keys[order[position]]), int(ids[order[position]]), int(at_least[position]))
