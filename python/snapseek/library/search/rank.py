"""The order of the pictures that match a request.

The plain order is by score, as deep as is paged to. Every other order is made from a pool: the 1,000 best by
score, by words or by both, so that each page continues the one before.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import InputError, MissingArgumentError
from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.search.bm25 import bm25_scores, query_words
from snapseek.library.search.dedup import DuplicateGroup, duplicate_groups
from snapseek.library.search.likeness import CosineBars, Look, PictureFacts, PreviewComparison, look_of
from snapseek.library.search.query_vector import QueryVector
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.search.rrf import reciprocal_rank_fusion
from snapseek.library.search.word_matches import (
    EVERY_WORD,
    WordMatches,
    best_matches,
    field_names,
    word_matches,
)
from snapseek.library.storage.selection import Members, Selection
from snapseek.library.storage.shards import DEEPEST_PAGE, RowHits, RowRef, Shards

if TYPE_CHECKING:
    from snapseek.library.columns.numeric import NumericIndex

Keys = NDArray[np.int64]
_MAX_SELECTIONS = 16
_NO_VALUE = np.iinfo(np.int64).max
POOL = DEEPEST_PAGE
_MAX_LOOKS = 2048
"""Decoded previews that are kept, of some kilobytes each."""

_ANY_MODEL = CosineBars()
DEDUP_DEPTH = 256
"""Near-duplicates are grouped among this many results of a ranking by score; later ones are shown singly."""


class Entry(NamedTuple):
    """A rank of a ranking: a picture, its score if it has one, and its near-duplicates of lower rank."""

    row: RowRef
    score: float | None = None
    similar: tuple[RowRef, ...] = ()
    why: tuple[str, ...] = ()
    """With mode `auto`, what has a word of the query, such as `folder name`."""
    has_every_word: bool = False
    """With mode `auto`, whether these have all words of the query."""


@dataclass(frozen=True)
class Ranking:
    """The first entries, as many as the request needs, and the number of all."""

    entries: Sequence[Entry]
    total: int


class Ranker:
    """Orders the pictures of one state of a library. Safe to use from many threads.

    Parameters
    ----------
    shards
        The pictures.
    members
        What finds the pictures of concepts.
    """

    def __init__(self, shards: Shards, members: Members | None = None) -> None:
        self._shards = shards
        self.selection_of = lru_cache(_MAX_SELECTIONS)(partial(Selection, shards.parts, members=members))
        """Returns the selection of a typechecked filter tree; those of recent filters are cached."""
        self._look_of = lru_cache(_MAX_LOOKS)(partial(look_at, shards))

    def listed(self, resolved: ResolvedRequest) -> Ranking:
        """Return the first pictures that match, in stored order or by the sort of the request."""
        selection = self.selection_of(resolved.tree)
        sort, end = resolved.request.sort, resolved.request.end
        rows = self._by_id(selection, end) if sort == "relevance" else self._by_key(selection, sort, end)
        return Ranking([Entry(row) for row in rows], selection.count)

    def ranked(
        self,
        resolved: ResolvedRequest,
        vector: QueryVector,
        excluded: Collection[RowRef],
        bars: CosineBars = _ANY_MODEL,
    ) -> Ranking:
        """Return the first pictures that match, without those excluded, in the order of the request.

        `bars` are the cosines of near-duplicates.
        """
        request = resolved.request
        candidates = Candidates(self._shards, self.selection_of(resolved.tree), excluded, exact=request.exact)
        matches = self._word_matches(resolved, candidates) if resolved.mode == "auto" else []
        if resolved.is_ranked_by_score and not matches:
            if request.dedup:
                return self._deduplicated_by_score(candidates, vector.value, request.end, bars)
            return Ranking(candidates.best(vector.value, request.end), candidates.total)
        entries = (
            self._joined(matches, candidates, vector) if matches else self._pool(resolved, candidates, vector)
        )
        if request.min_score is not None:
            threshold = request.min_score
            entries = [entry for entry in entries if entry.score is not None and entry.score >= threshold]
        if request.dedup:
            entries = self._deduplicated(entries, bars)
        if request.sort != "relevance":
            entries = self._sorted(entries, request.sort)
        return Ranking(entries[: request.end], len(entries))

    def _deduplicated_by_score(
        self, candidates: "Candidates", vector: NDArray[np.float32], end: int, bars: CosineBars
    ) -> Ranking:
        """Return the ranking by score with the near-duplicates of the first `DEDUP_DEPTH` grouped."""
        depth = min(POOL, candidates.total)
        if not depth:
            return Ranking([], 0)
        found = candidates.search(vector, min(DEDUP_DEPTH, depth))
        rows, scores = found.refs(), found.scores.tolist()
        entries = [
            Entry(rows[group.first], scores[group.first], tuple(rows[rank] for rank in group.similar))
            for group in self._groups(self._shards.vectors_at(found.shards, found.rows), rows, bars)
        ]
        hidden = len(found) - len(entries)
        if len(entries) < end and depth > DEDUP_DEPTH:
            entries += candidates.best(vector, depth)[DEDUP_DEPTH:]
        return Ranking(entries[:end], depth - hidden)

    def _pool(self, resolved: ResolvedRequest, candidates: "Candidates", vector: QueryVector) -> list[Entry]:
        """Return the best by score, by words or by both."""
        if resolved.mode in ("clip", "auto"):
            return candidates.best(vector.value, POOL)
        words = resolved.words if query_words(resolved.words) else ""
        by_words = self._by_words(words, candidates) if words else []
        if resolved.mode == "words":
            if not words:
                raise MissingArgumentError(expected="words to search for with mode words", got="none")
            return [Entry(row) for row in by_words]
        try:
            best = candidates.best(vector.value, POOL)
        except InputError:
            if not by_words:
                raise
            return [Entry(row) for row in by_words]  # captions have words that the model does not know
        return self._fused(best, by_words, vector.value) if by_words else best

    def _fused(self, best: list[Entry], by_words: list[RowRef], vector: NDArray[np.float32]) -> list[Entry]:
        """Return the fusion of both rankings; pictures that only words found get their score as well."""
        entries = {entry.row: entry for entry in best}
        new = [row for row in by_words if row not in entries]
        for row, score in zip(new, self._shards.scores(new, vector), strict=True):
            entries[row] = Entry(row, score)
        rows = list(entries)
        numbers = {row: number for number, row in enumerate(rows)}
        order = reciprocal_rank_fusion([range(len(best)), [numbers[row] for row in by_words]])
        return [entries[rows[number]] for number in order]

    def _word_matches(self, resolved: ResolvedRequest, candidates: "Candidates") -> list[WordMatches]:
        """Return the pictures with words of the query, shard by shard; empty where there is none."""
        if not query_words(resolved.words):
            return []
        stores = [part.shard.columns for part in self._shards.parts]
        found = word_matches(stores, candidates.selection.masks, resolved.words)
        return found if any(len(part.rows) for part in found) else []

    def _joined(
        self, matches: list[WordMatches], candidates: "Candidates", vector: QueryVector
    ) -> list[Entry]:
        """Return the fusion of the ranking by the model and of the pictures with words."""
        try:
            best = candidates.best(vector.value, POOL)
        except InputError:  # captions and folders have words that the model does not know
            by_words = best_matches(matches, candidates.excluded, (), POOL)
            return [_matched(row, bits) for _, row, bits in by_words]
        by_words = best_matches(matches, candidates.excluded, {entry.row for entry in best}, POOL)
        cosines = self._shards.scores([row for _, row, _ in by_words], vector.value)
        # Many pictures have the same words: those that the model prefers come first.
        ordered = sorted(
            zip(by_words, cosines, strict=True), key=lambda found: (-found[0][0], -found[1], found[0][1])
        )
        entries = {entry.row: entry for entry in best}
        for (_, row, bits), cosine in ordered:
            entries[row] = _matched(row, bits, cosine)
        numbers = {row: number for number, row in enumerate(entries)}
        rankings = [range(len(best)), [numbers[row] for (_, row, _), _ in ordered]]
        rows = list(entries)
        return [entries[rows[number]] for number in reciprocal_rank_fusion(rankings)]

    def _by_words(self, words: str, candidates: "Candidates") -> list[RowRef]:
        """Return the best by BM25, ties by lower id."""
        stores = [part.shard.columns for part in self._shards.parts]
        found = bm25_scores(stores, candidates.selection.masks, words)
        numbers = np.repeat(np.arange(len(found)), [len(part.rows) for part in found])
        rows = np.concatenate([np.zeros(0, np.int64), *(part.rows for part in found)])
        scores = np.concatenate([np.zeros(0, np.float32), *(part.scores for part in found)])
        count = POOL + len(candidates.excluded)
        if len(scores) > count:
            near = scores >= np.partition(scores, len(scores) - count)[len(scores) - count]
            numbers, rows, scores = numbers[near], rows[near], scores[near]
        order = np.lexsort((self._ids(numbers, rows), -scores))[:count]
        best = map(RowRef, numbers[order].tolist(), rows[order].tolist())
        return [row for row in best if row not in candidates.excluded][:POOL]

    def _ids(self, numbers: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids, (n,), of rows of shards with these numbers."""
        ids = np.zeros(len(rows), np.int64)
        for number in np.unique(numbers):
            here = numbers == number
            ids[here] = self._shards.parts[number].shard.ids_of(rows[here])
        return ids

    def _groups(
        self, vectors: NDArray[np.float32], rows: Sequence[RowRef], bars: CosineBars
    ) -> list[DuplicateGroup]:
        """Group near-duplicates by their vectors and, as a second opinion, their previews."""
        comparison = PreviewComparison(lambda rank: self._look_of(rows[rank]), bars)
        return duplicate_groups(vectors, bars.close, comparison.alike)

    def _deduplicated(self, entries: list[Entry], bars: CosineBars) -> list[Entry]:
        vectors = self._shards.vectors_at(*_numbers_and_rows(entries))
        return [
            entries[group.first]._replace(similar=tuple(entries[rank].row for rank in group.similar))
            for group in self._groups(vectors, [entry.row for entry in entries], bars)
        ]

    def _sorted(self, entries: list[Entry], sort: str) -> list[Entry]:
        numbers, rows = _numbers_and_rows(entries)
        keys = {
            number: sort_keys(self._shards.parts[number].shard.columns, sort)
            for number in np.unique(numbers).tolist()
        }
        values = np.array([keys[entry.row.shard][entry.row.row] for entry in entries], np.int64)
        return [entries[rank] for rank in np.lexsort((self._ids(numbers, rows), values))]

    def _by_id(self, selection: Selection, end: int) -> list[RowRef]:
        """Return rows shard by shard, each in order of id."""
        found: list[RowRef] = []
        for number in range(len(self._shards.parts)):
            rows = selection.rows_by_id(number, 0, end - len(found))
            found += [RowRef(number, row) for row in rows]
        return found

    def _by_key(self, selection: Selection, sort: str, end: int) -> list[RowRef]:
        numbers, rows, keys, ids = [], [], [], []
        for number, part in enumerate(self._shards.parts):
            part_keys = sort_keys(part.shard.columns, sort)
            first = first_rows(part_keys, part.shard.ids, selection.masks[number], end)
            numbers.append(np.full(len(first), number))
            rows.append(first)
            keys.append(part_keys[first])
            ids.append(part.shard.ids[first])
        if not rows:
            return []
        order = np.lexsort((np.concatenate(ids), np.concatenate(keys)))[:end]
        return list(
            map(RowRef, np.concatenate(numbers)[order].tolist(), np.concatenate(rows)[order].tolist())
        )


class Candidates:
    """The pictures that a ranking may hold: those of a selection, without the excluded ones."""

    def __init__(
        self, shards: Shards, selection: Selection, excluded: Collection[RowRef], *, exact: bool
    ) -> None:
        self.selection = selection
        self.excluded = excluded
        self._shards = shards
        self._exact = exact

    @property
    def total(self) -> int:
        """The number of candidates."""
        return self.selection.count - sum(self.selection.has(row.shard, row.row) for row in self.excluded)

    def search(self, vector: NDArray[np.float32], count: int) -> RowHits:
        """Return the `count` best for a unit vector, (dim,), best first, ties by lower id."""
        found = self._shards.search(
            vector[None], count + len(self.excluded), exact=self._exact, selection=self.selection
        )
        if self.excluded:
            found = found[np.array([row not in self.excluded for row in found.refs()], np.bool_)]
        return found[:count]

    def best(self, vector: NDArray[np.float32], count: int) -> list[Entry]:
        """Return the same as entries."""
        found = self.search(vector, count)
        return list(map(Entry, found.refs(), found.scores.tolist()))


def look_at(shards: Shards, row: RowRef) -> Look:
    """Return what a picture is compared with others by."""
    ((_, _, width, height, _, preview, _), meta) = shards.records([row])[0]
    taken = meta.get("taken") if not meta.get("taken_from") or meta["taken_from"] == "exif" else None
    moment = taken if isinstance(taken, datetime) else None
    return look_of(PictureFacts(preview or b"", width or 0, height or 0, moment))


def _matched(row: RowRef, bits: int, score: float | None = None) -> Entry:
    """Return the entry of a picture with words of the query in the fields of `bits`."""
    return Entry(row, score, why=field_names(bits), has_every_word=bool(bits & EVERY_WORD))


def _numbers_and_rows(entries: list[Entry]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the shard numbers and the rows of entries, (n,) each."""
    pairs = np.array([entry.row for entry in entries], np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def sort_keys(columns: ColumnStore, sort: str) -> Keys:
    """Return a key for each row of a shard, (rows,) int64: lower keys come first, rows without a value last.

    `sort` is newest, oldest or size.
    """
    index: NumericIndex | None = columns.pixels if sort == "size" else columns.moment
    if index is None:
        return np.full(columns.rows, _NO_VALUE)
    keys = index.values.astype(np.int64)
    if sort != "oldest":
        np.negative(keys, out=keys)
    if len(index.valid):
        keys[~index.valid] = _NO_VALUE
    return keys


def first_rows(keys: Keys, ids: NDArray[np.int64], mask: Flags | None, count: int) -> NDArray[np.int64]:
    """Return the first `count` rows of the mask by rising key, ties by lower id."""
    rows = np.arange(len(keys)) if mask is None else np.flatnonzero(mask)
    row_keys = keys if mask is None else keys[rows]
    if len(rows) > count:
        last = np.partition(row_keys, count - 1)[count - 1]
        is_near = row_keys <= last
        rows, row_keys = rows[is_near], row_keys[is_near]
    return rows[np.lexsort((ids[rows], row_keys))[:count]]
