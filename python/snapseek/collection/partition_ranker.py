"""The ranking of a query over partitions: the rules of one library, on merged lists.

`Ranker` has the rules. This class replaces what reads shards by questions to partitions. A `RowRef` is the
number of a partition and an id in it, so ties are broken by the id in the collection.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from snapseek.collection.answers import (
    Matched,
    Ranked,
    listed_of,
    matched_of,
    ranked_of,
)
from snapseek.collection.found_pictures import MergedRows, by_partition, look_of, records
from snapseek.collection.frames import Array, Frame
from snapseek.collection.manifest import LOCAL_BITS
from snapseek.collection.partition_state import MAX_EARLY
from snapseek.collection.query import Member, PartitionQuery
from snapseek.collection.request_fields import MAX_K
from snapseek.collection.sorted_pages import SortedPages
from snapseek.collection.tree_json import tree_to_json
from snapseek.errors import InputError, OutOfRangeError
from snapseek.library.search.bm25 import WordStatistics, query_words
from snapseek.library.search.candidates import Candidates, Entry, Ranking
from snapseek.library.search.dedup import DuplicateGroup, duplicate_groups
from snapseek.library.search.likeness import CosineBars, PreviewComparison
from snapseek.library.search.query_vector import QueryVector
from snapseek.library.search.rank import DEDUP_DEPTH, POOL, Ranker
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.search.sort_keys import Keys
from snapseek.library.search.word_matches import MAX_WORDS, BestMatches, WordMatches, counts_any
from snapseek.library.storage.rows import RowHits, RowRef

if TYPE_CHECKING:
    from snapseek.library.storage.shards import Shards

Ids = NDArray[np.int64]
_NO_IDS = np.zeros(0, np.int64)
_MAX_FIRST = 4096
"""Up to as many pictures of a sort are sent from the first one on."""

_MIN_EARLY_PARTITIONS = 4
"""With fewer, a round for the records of a page costs less than records that no page shows."""

_SECOND_ROUNDS = 0.05
"""Share of pages that need a second round for records."""


class PartitionRanker(Ranker):
    """Orders the pictures of the partitions that answer one query.

    Parameters
    ----------
    query
        The partitions.
    resolved
        The request.
    vector
        The query vector; None where pictures are only listed.
    excluded, dim
        The pictures that no ranking holds; the dimension of the vectors.
    """

    def __init__(
        self,
        query: PartitionQuery,
        resolved: ResolvedRequest,
        dim: int,
        vector: QueryVector | None = None,
        excluded: Collection[RowRef] = (),
    ) -> None:
        self._query = query
        self._resolved = resolved
        self._vector = vector
        self._excluded = set(excluded)
        self._dim = dim
        self._tree = tree_to_json(resolved.tree)
        self._scores: dict[RowRef, float] = {}
        self._sort_keys: dict[RowRef, int] = {}
        self._ranked: tuple[int, dict[int, Ranked]] | None = None
        self.total: int | None = None  # known after a request
        self._shards = cast("Shards", MergedRows(query, self._scores, dim))

    def listed(self, resolved: ResolvedRequest) -> Ranking:
        """Return the first pictures that match; see `Ranker.listed`."""
        request = resolved.request
        if request.sort == "relevance":
            return self._stored(request.offset, request.end)
        if request.end > _MAX_FIRST:
            pages = SortedPages(self._query, self._tree, request.sort, self._count_of)
            rows, total = pages.rows(request.offset, request.end)
            return Ranking(list(map(Entry, rows)), total, request.offset)
        fields = {"op": "listed", "tree": self._tree, "sort": request.sort, "start": 0, "end": request.end}
        answers = self._query.ask_all(
            ("listed", request.end),
            Frame(fields),
            lambda frame, member: listed_of(frame, request.end, True, self._count_of(member, frame)),
        )
        numbers, ids = _joined_ids({number: ids for number, (_, ids, _) in answers.items()})
        keys = np.concatenate([_NO_IDS, *(keys for _, _, keys in answers.values())])
        order = np.lexsort((self.ids(numbers, ids), keys))[: request.end]
        first = map(RowRef, numbers[order].tolist(), ids[order].tolist())
        return Ranking([Entry(row) for row in first], sum(count for count, _, _ in answers.values()))

    def _stored(self, start: int, end: int) -> Ranking:
        """Return the pictures from `start` to `end` in stored order."""
        counts = self._counts()
        total = sum(counts.values())
        entries: list[Entry] = []
        for first in range(start, min(end, total), MAX_K):
            entries += map(Entry, self._stored_rows(first, min(end, first + MAX_K), counts))
        return Ranking(entries, total, start)

    def _stored_rows(self, start: int, end: int, counts: Mapping[int, int]) -> list[RowRef]:
        """Return the pictures from `start` to `end` in stored order, by the counts of the partitions."""
        first, frames = 0, {}
        for number in sorted(counts):
            low, high = max(0, start - first), max(0, min(end - first, counts[number]))
            if low < high:
                fields = {"op": "listed", "tree": self._tree, "sort": "relevance", "start": low, "end": high}
                frames[number] = Frame(fields)
            first += counts[number]
        answers = self._query.ask(
            ("stored", start, end),
            frames,
            lambda frame, member: listed_of(frame, end - start, False, self._count_of(member, frame)),
        )
        return [RowRef(number, item) for number in sorted(answers) for item in answers[number][1].tolist()]

    def pages(self, rows: int, check: Callable[[int], object] = lambda count: None) -> Iterator[list[RowRef]]:
        """Yield all matching pictures in stored order, `rows` at a time; `check` gets their number first."""
        counts = self._counts()
        count = sum(counts.values())
        check(count)
        for start in range(0, count, rows):
            yield self._stored_rows(start, min(start + rows, count), counts)
            self._query.forget_answers()

    def _counts(self) -> dict[int, int]:
        """Return the number of matching pictures of each partition."""
        fields = {"op": "listed", "tree": self._tree, "sort": "relevance", "start": 0, "end": 0}
        answers = self._query.ask_all(
            "count",
            Frame(fields),
            lambda frame, member: listed_of(frame, 0, False, self._count_of(member, frame)),
        )
        return {number: count for number, (count, _, _) in answers.items()}

    def ids(self, numbers: Ids, rows: Ids) -> Ids:
        """Return the ids in the collection, (n,), of pictures of partitions with these numbers."""
        return (numbers << LOCAL_BITS) | rows

    def keys(self, numbers: Ids, rows: Ids, sort: str) -> Keys:
        """Return the sort keys, (n,), which came with the pictures."""
        pairs = zip(numbers.tolist(), rows.tolist(), strict=True)
        return np.array([self._sort_keys[RowRef(*pair)] for pair in pairs], np.int64)

    def rank(self, k: int, vector: NDArray[np.float32] | None) -> dict[int, Ranked]:
        """Return the `k` best of each partition, with counts and the statistics of words."""
        if k > MAX_K:
            raise OutOfRangeError(expected=f"offset + limit of up to {MAX_K} for a collection", got=str(k))
        if self._ranked is not None and k <= self._ranked[0] and vector is not None:
            return self._ranked[1]  # whose first k are the same
        resolved = self._resolved
        words = self._words()
        word_count = None if words is None else len(query_words(words)[:MAX_WORDS])
        fields = {
            "op": "rank",
            "tree": self._tree,
            "k": k + len(self._excluded),
            "exact": resolved.request.exact,
            "words": words,
            "mode": resolved.mode,
            "sort": resolved.request.sort,
            "trainings": self._query.trainings(),
            "records": 0 if vector is None else self._early_count(),
            "include": list(resolved.request.include),
        }
        arrays = {} if vector is None else {"vector": vector}
        answers = self._query.ask(
            ("rank", k, vector is None),
            self._frames(fields, arrays, "excluded", self._excluded),
            lambda frame, member: self._ranked_of(frame, member, k, word_count),
        )
        for number, answer in answers.items():
            self._remember(number, answer.ids, answer.keys)
        if vector is not None:
            self._ranked = (k, answers)
        self.total = sum(answer.count - answer.excluded for answer in answers.values())
        return answers

    def _ranked_of(self, frame: Frame, member: Member, k: int, words: int | None) -> Ranked:
        found = ranked_of(frame, k + len(self._excluded), words, self._count_of(member, frame))
        if "ends" in frame.arrays:
            self._query.early[member.entry.number] = frame
        return found

    def _early_count(self) -> int:
        """Return how many records a partition sends with its ranking: mostly all that the page shows."""
        request, parts = self._resolved.request, len(self._query.members)
        is_ranked = self._resolved.mode in ("clip", "auto") and request.sort == "relevance"
        if self._query.early or request.offset or not is_ranked or parts < _MIN_EARLY_PARTITIONS:
            return 0
        return early_count(request.limit, parts)

    def _frames(
        self, fields: Mapping[str, Any], arrays: Mapping[str, Array], name: str, rows: Collection[RowRef]
    ) -> dict[int, Frame]:
        """Return a request for each partition; `name` is the array of those of `rows` that it has."""
        common = Frame(fields, arrays)
        own = by_partition(rows)
        return {
            number: common.with_array(name, own[number]) if number in own else common
            for number in self._query.members
        }

    def _count_of(self, member: Member, frame: Frame) -> int | None:
        """Return the number of pictures that a partition may have; None if its state is a newer one."""
        is_known = frame.fields.get("version") == member.facts.version
        return member.facts.count if is_known else None

    def _remember(self, number: int, ids: Ids, keys: Ids) -> None:
        if len(keys):
            refs = map(RowRef, [number] * len(ids), ids.tolist())
            self._sort_keys.update(zip(refs, keys.tolist(), strict=True))

    def _words(self) -> str | None:
        """Return the words that are searched for in captions and names; None for none."""
        resolved = self._resolved
        has_words = resolved.mode != "clip" and query_words(resolved.words)
        return resolved.words if has_words else None

    def _statistics(self) -> WordStatistics:
        """Return the statistics of the words over all partitions."""
        parts = [answer.statistics for answer in self.rank(POOL, self.known_vector()).values()]
        known = [part for part in parts if part is not None]
        counts = [sum(column) for column in zip(*(part.counts for part in known), strict=True)]
        return WordStatistics(
            sum(part.rows for part in known), sum(part.length for part in known), tuple(counts)
        )

    def known_vector(self) -> NDArray[np.float32] | None:
        """Return the query vector; None where words alone rank, or where the model knows none of them."""
        if self._resolved.mode == "words" or self._vector is None:
            return None
        try:
            return self._vector.value
        except InputError:
            return None

    def _candidates(self, resolved: ResolvedRequest, excluded: Collection[RowRef]) -> "PartitionCandidates":
        return PartitionCandidates(self, excluded)

    def _word_matches(self, resolved: ResolvedRequest, candidates: Candidates) -> list[WordMatches]:
        """Return a mark that there are matches: the partitions keep them."""
        if self._words() is None or not counts_any(self._statistics()):
            return []
        has_any = any(len(answer.ids) for answer in self._matched(()).values())
        return [WordMatches(_NO_IDS, np.zeros(0, np.float32), np.zeros(0, np.uint8))] if has_any else []

    def _matched(self, preferred: Collection[RowRef]) -> dict[int, Matched]:
        sums = self._statistics()
        k = POOL + len(self._excluded)
        vector = self.known_vector()
        fields = {
            "op": "words",
            "tree": self._tree,
            "k": k,
            "words": self._words(),
            "mode": self._resolved.mode,
            "sort": self._resolved.request.sort,
            "statistics": [sums.rows, sums.length, list(sums.counts)],
        }
        if not preferred and vector is not None and self._resolved.mode == "auto":
            best = _merged(self.rank(POOL, vector), POOL + len(self._excluded))
            preferred = {row for row in best.refs() if row not in self._excluded}
        arrays = {} if vector is None else {"vector": vector}
        answers = self._query.ask(
            "words",
            self._frames(fields, arrays, "preferred", preferred),
            lambda frame, _: matched_of(frame, k, vector is not None),
        )
        for number, answer in answers.items():
            self._remember(number, answer.ids, answer.keys)
            refs = map(RowRef, [number] * len(answer.ids), answer.ids.tolist())
            self._scores.update(zip(refs, answer.cosines.tolist(), strict=False))
        return answers

    def _best_matches(
        self, matches: list[WordMatches], candidates: Candidates, preferred: RowHits
    ) -> BestMatches:
        best = []
        liked = set(preferred)
        for number, answer in self._matched(liked).items():
            columns = (answer.scores.tolist(), answer.ids.tolist(), answer.bits.tolist())
            for score, item, bits in zip(*columns, strict=True):
                row = RowRef(number, item)
                if row not in self._excluded:
                    best.append((score, row, bits))
        best.sort(key=lambda match: (-match[0], match[1] not in liked, match[1]))
        return BestMatches.of(best[:POOL])

    def _by_words(self, words: str, candidates: Candidates) -> list[RowRef]:
        found = [
            (-score, RowRef(number, item))
            for number, answer in self._matched(()).items()
            for score, item in zip(answer.scores.tolist(), answer.ids.tolist(), strict=True)
        ]
        return [row for _, row in sorted(found) if row not in self._excluded][:POOL]

    def _groups(
        self, vectors: NDArray[np.float32], rows: Sequence[RowRef], bars: CosineBars
    ) -> list[DuplicateGroup]:
        """Group near-duplicates; the records of those that are near to another come in one round."""
        near: set[RowRef] = set()

        def note(first: int, others: Sequence[int], _cosines: Sequence[float]) -> list[int]:
            near.update(rows[rank] for rank in (first, *others))
            return []

        duplicate_groups(vectors, bars.close, note)
        found = records(self._query, near, ("preview", "meta"), "near")
        self._query.check_complete(near, found)

        looks = {row: look_of(record) for row, record in found.items()}
        comparison = PreviewComparison(lambda ranks: [looks[rows[rank]] for rank in ranks], bars)
        return duplicate_groups(vectors, bars.close, comparison.alike)


@lru_cache
def early_count(limit: int, parts: int) -> int:
    """Return a number of results that a partition of a page mostly does not exceed, up to `MAX_EARLY`.

    The number of results of one is about Poisson-distributed. In a twentieth of the pages at most, one of the
    partitions has more, and the records of the others come in a second round.
    """
    mean = limit / parts
    count, share = 0, math.exp(-mean)
    above = 1 - share
    while count < MAX_EARLY and parts * above > _SECOND_ROUNDS:
        count += 1
        share *= mean / count
        above -= share
    return count


class PartitionCandidates(Candidates):
    """The pictures that a ranking over partitions may hold."""

    def __init__(self, ranker: PartitionRanker, excluded: Collection[RowRef]) -> None:
        self.excluded = excluded
        self._ranker = ranker

    @property
    def total(self) -> int:
        """The number of candidates."""
        if self._ranker.total is None:
            self._ranker.rank(DEDUP_DEPTH, self._ranker.known_vector())
        return self._ranker.total or 0

    def search(self, vector: NDArray[np.float32], count: int) -> RowHits:
        """Return the `count` best for a unit vector, (dim,), best first, ties by lower id."""
        found = _merged(self._ranker.rank(count, vector), count + len(self.excluded))
        if self.excluded:
            found = found[np.array([row not in self.excluded for row in found.refs()], np.bool_)]
        return found[:count]


def _joined_ids(by_number: Mapping[int, Ids]) -> tuple[Ids, Ids]:
    """Return the numbers of partitions and the ids there, (n,) each, one partition after another."""
    counts = [len(ids) for ids in by_number.values()]
    numbers = np.repeat(np.array(list(by_number), np.int64), counts)
    return numbers, np.concatenate([_NO_IDS, *by_number.values()])


def _merged(answers: Mapping[int, Ranked], count: int) -> RowHits:
    """Return the best of all partitions, best first, ties by lower id."""
    numbers, ids = _joined_ids({number: answer.ids for number, answer in answers.items()})
    scores = np.concatenate([np.zeros(0, np.float32), *(answer.scores for answer in answers.values())])
    if len(scores) > count:
        near = scores >= np.partition(scores, len(scores) - count)[len(scores) - count]
        numbers, ids, scores = numbers[near], ids[near], scores[near]
    order = np.lexsort((ids, numbers, -scores))[:count]
    return RowHits(numbers[order], ids[order], scores[order])
