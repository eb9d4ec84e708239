"""The order in which a request wants the pictures that match.

The plain order is that of the scores, as deep as is paged to. Every other order is made of a pool: of the
1,000 best by score, by words or by both, so that each page goes on where the last one ended.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import InputError
from snapseek.library.search.bm25 import bm25_scores, wanted_words
from snapseek.library.search.dedup import duplicate_groups
from snapseek.library.search.relevance import Background, least_deviations
from snapseek.library.search.request import ResolvedRequest, SearchRequest
from snapseek.library.search.rrf import reciprocal_rank_fusion
from snapseek.library.search.sort import first_rows, keys_of
from snapseek.library.storage.selection import Selection, SelectionCache
from snapseek.library.storage.shard import DEEPEST_PAGE
from snapseek.library.storage.shards import RowHits, RowRef, Shards

POOL = DEEPEST_PAGE
FOLDED = 256
"""So many of a ranking by score are folded: who looks further sees each picture by itself."""


class Entry(NamedTuple):
    """A place of a ranking: a picture, its score if there is one, and those folded under it."""

    place: RowRef
    score: float | None = None
    similar: tuple[RowRef, ...] = ()


@dataclass(frozen=True)
class Ranking:
    """The first of the entries, as many as were asked for, and how many there are in all."""

    entries: Sequence[Entry]
    total: int


class Ranker:
    """Orders the pictures of one state of a library. Safe to use from many threads."""

    def __init__(self, shards: Shards) -> None:
        """Of these shards."""
        self._shards = shards
        self._matchings = SelectionCache(shards.parts)

    @cached_property
    def background(self) -> Background:
        """What queries score on any pictures."""
        return Background(self._shards.parts, self._matchings.of(None))

    def least_deviations(self, bank: NDArray[np.float32]) -> float | None:
        """See `weak`; `bank`, (q, dim), are ordinary queries."""
        everything = self._matchings.of(None)
        best = [self._shards.search(query[None], 1, selection=everything).scores for query in bank]
        moments = [self.background.moments(query) for query in bank]
        scores = np.array([found[0] if len(found) else 0.0 for found in best], np.float32)
        return least_deviations(scores, moments)

    def listed(self, asked: ResolvedRequest, sort: str | None, end: int) -> Ranking:
        """The first `end` pictures that match, by `sort`; without it, or by relevance, as they came."""
        matching = self._matchings.of(asked.tree)
        by_id = sort in (None, "relevance")
        places = self._by_id(matching, end) if by_id else self._by_key(matching, str(sort), end)
        return Ranking([Entry(place) for place in places], len(matching))

    def ranked(
        self,
        asked: ResolvedRequest,
        request: SearchRequest,
        vector: Callable[[], NDArray[np.float32]],
        without: Collection[RowRef],
    ) -> Ranking:
        """The first pictures that match, but for those `without`, in the order that the request wants.

        `vector` gives that of the query, (dim,), when scores are needed.
        """
        matching = self._matchings.of(asked.tree)
        if request.is_plain:
            entries = self._best(vector(), request.end, matching, without, exact=request.exact)
            excluded = sum(matching.has(place.shard, place.row) for place in without)
            return Ranking(entries, len(matching) - excluded)
        if request.is_only_folded:
            return self._ranked_and_folded(request, vector(), matching, without)
        entries = self._pool(asked, request, vector, matching, without)
        if request.min_score is not None:
            least = request.min_score
            entries = [entry for entry in entries if entry.score is not None and entry.score >= least]
        if request.fold:
            entries = self._folded(entries)
        if request.sort != "relevance":
            entries = self._sorted(entries, request.sort)
        return Ranking(entries[: request.end], len(entries))

    def _ranked_and_folded(
        self,
        request: SearchRequest,
        vector: NDArray[np.float32],
        matching: Selection,
        without: Collection[RowRef],
    ) -> Ranking:
        """The ranking, in which the first `FOLDED` are folded, for every page alike."""
        total = len(matching) - sum(matching.has(place.shard, place.row) for place in without)
        reach = min(POOL, total)
        if not reach:
            return Ranking([], 0)
        found = self._found(vector, min(FOLDED, reach), matching, without, exact=request.exact)
        places, scores = found.refs(), found.scores.tolist()
        entries = [
            Entry(places[fold.place], scores[fold.place], tuple(places[place] for place in fold.similar))
            for fold in duplicate_groups(self._shards.vectors_at(found.shards, found.rows))
        ]
        hidden = len(found) - len(entries)
        if len(entries) < request.end and reach > FOLDED:
            entries += self._best(vector, reach, matching, without, exact=request.exact)[FOLDED:]
        return Ranking(entries[: request.end], reach - hidden)

    def _pool(
        self,
        asked: ResolvedRequest,
        request: SearchRequest,
        vector: Callable[[], NDArray[np.float32]],
        matching: Selection,
        without: Collection[RowRef],
    ) -> list[Entry]:
        words = asked.words if wanted_words(asked.words) else ""
        if request.mode == "words" and not words:
            raise InputError("expected words to look for with mode words, found none")
        by_words = self._by_words(words, matching, without) if words and request.mode != "clip" else []
        if request.mode == "words":
            return [Entry(place) for place in by_words]
        try:
            best = self._best(vector(), POOL, matching, without, exact=request.exact)
        except InputError:
            if not by_words:
                raise
            return [Entry(place) for place in by_words]  # captions have words that the model does not know
        return self._joined(best, by_words, vector()) if by_words else best

    def _joined(self, best: list[Entry], by_words: list[RowRef], vector: NDArray[np.float32]) -> list[Entry]:
        """Both rankings as one; pictures that only words found get their score as well."""
        known = {entry.place: entry for entry in best}
        new = [place for place in by_words if place not in known]
        for place, score in zip(new, self._shards.scores(new, vector), strict=True):
            known[place] = Entry(place, score)
        places = list(known)
        numbers = {place: number for number, place in enumerate(places)}
        order = reciprocal_rank_fusion([range(len(best)), [numbers[place] for place in by_words]])
        return [known[places[number]] for number in order]

    def _best(
        self,
        vector: NDArray[np.float32],
        count: int,
        matching: Selection,
        without: Collection[RowRef],
        *,
        exact: bool,
    ) -> list[Entry]:
        """The `count` best, but for some places."""
        found = self._found(vector, count, matching, without, exact=exact)
        return list(map(Entry, found.refs(), found.scores.tolist()))

    def _found(
        self,
        vector: NDArray[np.float32],
        count: int,
        matching: Selection,
        without: Collection[RowRef],
        *,
        exact: bool,
    ) -> RowHits:
        """As `_best`, as arrays: so many more are asked for as are left out then."""
        found = self._shards.search(vector[None], count + len(without), exact=exact, selection=matching)
        if without:
            found = found[np.array([place not in without for place in found.refs()], np.bool_)]
        return found[:count]

    def _by_words(self, words: str, matching: Selection, without: Collection[RowRef]) -> list[RowRef]:
        stores = [part.shard.columns for part in self._shards.parts]
        found = bm25_scores(stores, matching.masks, words)
        numbers = np.repeat(np.arange(len(found)), [len(part.rows) for part in found])
        rows = np.concatenate([np.zeros(0, np.int64), *(part.rows for part in found)])
        scores = np.concatenate([np.zeros(0, np.float32), *(part.scores for part in found)])
        count = POOL + len(without)
        if len(scores) > count:
            near = scores >= np.partition(scores, len(scores) - count)[len(scores) - count]
            numbers, rows, scores = numbers[near], rows[near], scores[near]
        ids = self._ids(numbers, rows)
        order = np.lexsort((ids, -scores))[:count].tolist()
        places = [RowRef(int(numbers[at]), int(rows[at])) for at in order]
        return [place for place in places if place not in without][:POOL]

    def _ids(self, numbers: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        ids = np.zeros(len(rows), np.int64)
        for number in np.unique(numbers):
            here = numbers == number
            ids[here] = self._shards.parts[number].shard.ids_of(rows[here])
        return ids

    def _folded(self, entries: list[Entry]) -> list[Entry]:
        vectors = self._shards.vectors_at(*self._numbers_and_rows(entries))
        return [
            entries[fold.place]._replace(similar=tuple(entries[place].place for place in fold.similar))
            if fold.similar
            else entries[fold.place]
            for fold in duplicate_groups(vectors)
        ]

    def _sorted(self, entries: list[Entry], sort: str) -> list[Entry]:
        keys = {
            number: keys_of(self._shards.parts[number].shard.columns, sort)
            for number in {entry.place.shard for entry in entries}
        }
        numbers, rows = self._numbers_and_rows(entries)
        order = np.lexsort(
            (
                self._ids(numbers, rows),
                np.array([keys[entry.place.shard][entry.place.row] for entry in entries], np.int64),
            )
        )
        return [entries[at] for at in order]

    def _numbers_and_rows(self, entries: list[Entry]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        numbers = np.array([entry.place.shard for entry in entries], np.int64)
        return numbers, np.array([entry.place.row for entry in entries], np.int64)

    def _by_id(self, matching: Selection, end: int) -> list[RowRef]:
        """Where shards follow one another, each in order of id."""
        places: list[RowRef] = []
        for number in range(len(self._shards.parts)):
            rows = matching.rows_by_id(number, 0, end - len(places))
            places += [RowRef(number, row) for row in rows]
        return places

    def _by_key(self, matching: Selection, sort: str, end: int) -> list[RowRef]:
        numbers, rows, keys, ids = [], [], [], []
        for number, part in enumerate(self._shards.parts):
            mine = keys_of(part.shard.columns, sort)
            first = first_rows(mine, part.shard.ids, matching.masks[number], end)
            numbers.append(np.full(len(first), number))
            rows.append(first)
            keys.append(mine[first])
            ids.append(part.shard.ids[first])
        if not rows:
            return []
        order = np.lexsort((np.concatenate(ids), np.concatenate(keys)))[:end]
        pairs = zip(
            np.concatenate(numbers)[order].tolist(), np.concatenate(rows)[order].tolist(), strict=True
        )
        return [RowRef(number, row) for number, row in pairs]
