"""Asks every opened index the same queries, in turns."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benches.rivals import RIVALS
from benches.rivals.worker import Searcher

KINDS = ("text", "image")


@dataclass(frozen=True)
class Answers:
    """Of one rival and one kind of query: (points, queries) recall@k and milliseconds."""

    recall: NDArray[np.float64]
    ms: NDArray[np.float64]

    @classmethod
    def empty(cls, points: int, queries: int) -> "Answers":
        return cls(np.zeros((points, queries)), np.zeros((points, queries)))


def ask_all(
    searchers: dict[str, Searcher], truth: dict[str, NDArray[np.int64]], queries: int, burst: int, seed: int
) -> dict[str, dict[str, Answers]]:
    """Answers by rival and kind; every point of every rival gets `burst` queries in a row.

    truth: (queries, k) rows by kind.
    """
    counts = {name: len(RIVALS[name].points) for name in searchers}
    found = {name: {kind: Answers.empty(count, queries) for kind in KINDS} for name, count in counts.items()}
    for name, point, kind, query in order_of_questions(counts, queries, burst, seed):
        rows, taken_s = searchers[name].ask(kind, query, point)
        answers = found[name][kind]
        answers.recall[point, query] = np.isin(truth[kind][query], rows).mean()
        answers.ms[point, query] = 1000 * taken_s
    return found


def order_of_questions(
    points: dict[str, int], queries: int, burst: int, seed: int
) -> Iterator[tuple[str, int, str, int]]:
    """(rival, point, kind, query), each once; the order of turns is shuffled for every burst of queries."""
    rng = np.random.default_rng(seed)
    turns = [
        (name, point, kind) for name, count in points.items() for point in range(count) for kind in KINDS
    ]
    shuffled = rng.permutation(queries)
    for start in range(0, queries, burst):
        for turn in rng.permutation(len(turns)):
            for query in shuffled[start : start + burst]:
                yield *turns[turn], int(query)
