"""The order of the pictures that match a request.

The plain order is by score, as deep as is paged to. Every other order is made from a pool: the 1,000 best by
score, by words or by both, so that each page continues the one before.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import InputError, MissingArgumentError
from snapseek.library.search.best_words import AutoWords, best_by_bm25
from snapseek.library.search.bm25 import WordScores, query_words
from snapseek.library.search.candidates import Candidates, Entry, Ranking
from snapseek.library.search.dedup import DuplicateGroup, duplicate_groups
from snapseek.library.search.likeness import CosineBars, Looks, PreviewComparison
from snapseek.library.search.query_vector import QueryVector
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.search.rrf import fused_order, reciprocal_rank_fusion
from snapseek.library.search.sort_keys import Keys, first_rows, sort_keys
from snapseek.library.search.word_matches import EVERY_WORD, BestMatches, field_names
from snapseek.library.storage.rows import NO_HITS, RowHits, RowRef
from snapseek.library.storage.selection import Members, Selection
from snapseek.library.storage.shards import DEEPEST_PAGE, Shards

_MAX_SELECTIONS = 16
_MAX_PARTIAL_SORT = 4096
"""Pages that end beyond need the whole order, which is cached."""
_MAX_ORDERS = 4
POOL = DEEPEST_PAGE
_ANY_MODEL = CosineBars()
DEDUP_DEPTH = 256
"""Near-duplicates are grouped among this many results of a ranking by score; later ones are shown singly."""


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
        self._order_of = lru_cache(_MAX_ORDERS)(self._ordered)
        self._looks = Looks(shards)

    def listed(self, resolved: ResolvedRequest) -> Ranking:
        """Return the first pictures that match, in stored order or by the sort of the request."""
        selection = self.selection_of(resolved.tree)
        sort, start, end = resolved.request.sort, resolved.request.offset, resolved.request.end
        if sort == "relevance":
            rows = self._by_id(selection, start, end)
        elif end <= _MAX_PARTIAL_SORT:
            rows = self._by_key(selection, sort, end)[start:]
        else:  # the page after it needs the same order
            numbers, of_shard = self._order_of(selection, sort)
            rows = list(map(RowRef, numbers[start:end].tolist(), of_shard[start:end].tolist()))
        return Ranking([Entry(row) for row in rows], selection.count, start)

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
        candidates = self._candidates(resolved, excluded)
        matches = self._word_matches(resolved, candidates) if resolved.mode == "auto" else None
        if resolved.is_ranked_by_score and not matches:
            if request.dedup:
                return self._deduplicated_by_score(candidates, vector.value, request.end, bars)
            return Ranking(candidates.best(vector.value, request.end), candidates.total)
        if matches:
            end = request.end + DEDUP_DEPTH if request.dedup else request.end
            joined = self._joined(matches, candidates, vector, end if resolved.is_ranked_by_score else None)
            entries = [*joined.entries]
            if resolved.is_ranked_by_score:
                if request.dedup:
                    entries = self._deduplicated(entries, bars, DEDUP_DEPTH)
                hidden = len(joined.entries) - len(entries)
                return Ranking(entries[: request.end], joined.total - hidden)
        else:
            entries = self._pool(resolved, candidates, vector)
        if request.min_score is not None:
            threshold = request.min_score
            entries = [entry for entry in entries if entry.score is not None and entry.score >= threshold]
        if request.dedup:
            depth = DEDUP_DEPTH if request.sort == "relevance" else len(entries)
            entries = self._deduplicated(entries, bars, depth)
        if request.sort != "relevance":
            entries = self._sorted(entries, request.sort)
        return Ranking(entries[: request.end], len(entries))

    def _candidates(self, resolved: ResolvedRequest, excluded: Collection[RowRef]) -> "Candidates":
        """Return the pictures that the ranking may hold."""
        selection = self.selection_of(resolved.tree)
        return Candidates(self._shards, selection, excluded, exact=resolved.request.exact)

    def _deduplicated_by_score(
        self, candidates: "Candidates", vector: NDArray[np.float32], end: int, bars: CosineBars
    ) -> Ranking:
        """Return the ranking by score with the near-duplicates of the first `DEDUP_DEPTH` grouped."""
        depth = min(POOL, candidates.total)
        if not depth:
            return Ranking([], 0)
        found = candidates.search(vector, min(DEDUP_DEPTH, depth))
        ranking = list(map(Entry, found, found.scores.tolist()))
        entries = self._deduplicated(ranking, bars, DEDUP_DEPTH)
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
        pairs = np.array(new, np.int64).reshape(-1, 2)
        hits = RowHits(pairs[:, 0], pairs[:, 1], np.zeros(len(new), np.float32))
        for row, score in zip(new, self._shards.scores(hits, vector).tolist(), strict=True):
            entries[row] = Entry(row, score)
        rows = list(entries)
        numbers = {row: number for number, row in enumerate(rows)}
        order = reciprocal_rank_fusion([range(len(best)), [numbers[row] for row in by_words]])
        return [entries[rows[number]] for number in order]

    def _word_matches(self, resolved: ResolvedRequest, candidates: "Candidates") -> Any:
        """Return the words of the query that pictures have, for `_best_matches`; None if there is none."""
        stores = [part.shard.columns for part in self._shards.parts]
        return AutoWords(stores, candidates.selection.masks, resolved.words) or None

    def _best_matches(self, matches: Any, candidates: "Candidates", preferred: RowHits) -> BestMatches:
        """Return the best matches, best first; of equal ones, those preferred."""
        best: BestMatches = matches.best(POOL, preferred, candidates.excluded)
        return best

    def _joined(
        self, matches: Any, candidates: "Candidates", vector: QueryVector, end: int | None
    ) -> Ranking:
        """Return the fusion of the ranking by the model and of the pictures with words, up to `end`."""
        try:
            best = candidates.search(vector.value, POOL)
        except InputError:  # captions and folders have words that the model does not know
            found = self._best_matches(matches, candidates, NO_HITS)
            shown = found.hits[:end]
            entries = map(_matched, shown, found.fields_of(shown).tolist())
            return Ranking(list(entries), len(found.hits))
        found = self._best_matches(matches, candidates, best)
        ranks = _ranks(found.hits, best) if found.ranks is None else found.ranks
        is_new = ranks == len(best)
        # Many pictures have the same words: those that the model prefers come first.
        groups = _groups_of(found.hits.scores, is_new)
        cosines = self._cosines(found.hits, best, ranks, _may_be_shown(groups, is_new, end), vector.value)
        order = np.lexsort((-cosines, groups))
        is_new = is_new[order]
        numbers = ranks[order]
        numbers[is_new] = len(best) + np.arange(np.count_nonzero(is_new))
        fused = fused_order(len(best), numbers)
        joined = RowHits(
            np.concatenate([best.shards, found.hits.shards[order][is_new]]),
            np.concatenate([best.rows, found.hits.rows[order][is_new]]),
            np.concatenate([best.scores, cosines[order][is_new]]),
        )
        has_word = np.zeros(len(joined), np.bool_)
        has_word[numbers] = True
        shown, has_word = joined[fused[:end]], has_word[fused[:end]]
        fields = np.zeros(len(shown), np.uint8)
        fields[has_word] = found.fields_of(shown[has_word])
        return Ranking(list(map(_matched, shown, fields.tolist(), shown.scores.tolist())), len(fused))

    def _cosines(
        self,
        found: RowHits,
        best: RowHits,
        ranks: NDArray[np.int64],
        wanted: NDArray[np.bool_],
        vector: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return the cosine of each match, (n,), by its rank among the best; 0 of others but those wanted."""
        cosines = np.zeros(len(found), np.float32)
        is_known = ranks < len(best)
        cosines[is_known] = best.scores[ranks[is_known]]
        cosines[wanted] = self._shards.scores(found[wanted], vector)
        return cosines

    def _by_words(self, words: str, candidates: "Candidates") -> list[RowRef]:
        """Return the best by BM25, ties by lower id."""
        shards = [part.shard for part in self._shards.parts]
        count = POOL + len(candidates.excluded)
        found = best_by_bm25(
            [shard.columns for shard in shards],
            [shard.ids for shard in shards],
            candidates.selection.masks,
            words,
            count,
        )
        best, _ = self.best_scored(found, count)
        return [row for row in best if row not in candidates.excluded][:POOL]

    def best_scored(
        self, found: Sequence[WordScores], count: int
    ) -> tuple[list[RowRef], NDArray[np.float32]]:
        """Return the `count` best rows and their scores, (n,), ties by lower id."""
        numbers = np.repeat(np.arange(len(found)), [len(part.rows) for part in found])
        rows = np.concatenate([np.zeros(0, np.int64), *(part.rows for part in found)])
        scores = np.concatenate([np.zeros(0, np.float32), *(part.scores for part in found)])
        if len(scores) > count:
            near = scores >= np.partition(scores, len(scores) - count)[len(scores) - count]
            numbers, rows, scores = numbers[near], rows[near], scores[near]
        order = np.lexsort((self.ids(numbers, rows), -scores))[:count]
        return list(map(RowRef, numbers[order].tolist(), rows[order].tolist())), scores[order]

    def ids(self, numbers: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
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
        comparison = PreviewComparison(lambda ranks: self._looks.of([rows[rank] for rank in ranks]), bars)
        return duplicate_groups(vectors, bars.close, comparison.alike)

    def _deduplicated(self, entries: list[Entry], bars: CosineBars, depth: int) -> list[Entry]:
        """Return the entries with the near-duplicates of the first `depth` grouped."""
        first = entries[:depth]
        vectors = self._shards.vectors_at(*_numbers_and_rows(first))
        groups = [
            first[group.first]._replace(
                similar=tuple(first[rank].row for rank in group.similar),
                similar_scores=tuple(first[rank].score for rank in group.similar),
            )
            for group in self._groups(vectors, [entry.row for entry in first], bars)
        ]
        return groups + entries[depth:]

    def _sorted(self, entries: list[Entry], sort: str) -> list[Entry]:
        numbers, rows = _numbers_and_rows(entries)
        order = np.lexsort((self.ids(numbers, rows), self.keys(numbers, rows, sort)))
        return [entries[rank] for rank in order]

    def keys(self, numbers: NDArray[np.int64], rows: NDArray[np.int64], sort: str) -> Keys:
        """Return the sort keys, (n,), of rows of shards with these numbers, (n,) each."""
        keys = np.zeros(len(rows), np.int64)
        for number in np.unique(numbers).tolist():
            here = numbers == number
            keys[here] = sort_keys(self._shards.parts[number].shard.columns, sort)[rows[here]]
        return keys

    def _by_id(self, selection: Selection, start: int, end: int) -> list[RowRef]:
        """Return rows shard by shard, each in order of id."""
        found: list[RowRef] = []
        before = 0
        for number in range(len(self._shards.parts)):
            count = selection.count_in(number)
            first, last = max(0, start - before), min(count, end - before)
            if first < last:
                found += [RowRef(number, row) for row in selection.rows_by_id(number, first, last)]
            before += count
        return found

    def _ordered(self, selection: Selection, sort: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return shard numbers and rows, (n,) each, of all selected pictures in the order of a sort."""
        numbers, rows = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        keys, ids = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for number, (part, mask) in enumerate(zip(self._shards.parts, selection.masks, strict=True)):
            here = np.arange(len(part.shard)) if mask is None else np.flatnonzero(mask)
            numbers.append(np.full(len(here), number, np.int32))
            rows.append(here.astype(np.int32))
            keys.append(sort_keys(part.shard.columns, sort)[here])
            ids.append(part.shard.ids[here])
        order = np.lexsort((np.concatenate(ids), np.concatenate(keys)))
        return np.concatenate(numbers)[order], np.concatenate(rows)[order]

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


def _ranks(found: RowHits, best: RowHits) -> NDArray[np.int64]:
    """Return the rank of each match among the best, (n,), `len(best)` for others."""
    if not len(best):
        return np.zeros(len(found), np.int64)
    by_key = np.argsort(best.keys())
    keys = best.keys()[by_key]
    nearest = np.minimum(keys.searchsorted(found.keys()), len(best) - 1)
    return np.where(keys[nearest] == found.keys(), by_key[nearest], len(best))


def _groups_of(scores: NDArray[np.float32], is_new: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return rising numbers, (n,), that change where a score or a flag differs from the one before it."""
    changes = np.zeros(len(scores), np.bool_)
    changes[1:] = (scores[1:] != scores[:-1]) | (is_new[1:] != is_new[:-1])
    return np.cumsum(changes)


def _may_be_shown(groups: NDArray[np.int64], is_new: NDArray[np.bool_], end: int | None) -> NDArray[np.bool_]:
    """Return which of the matches that only words found can be among the first `end` of the fusion, (n,).

    Matches come in groups, (n,), of the same words, best first. One of rank r from 0 on has r matches before
    it, and the r + 1 best of the model; at most all known matches are in both.
    """
    if end is None:
        return is_new
    firsts = np.searchsorted(groups, groups)
    known = len(is_new) - np.count_nonzero(is_new)
    return is_new & (firsts < end) & (2 * firsts + 1 - known < end)


def _matched(row: RowRef, bits: int, score: float | None = None) -> Entry:
    """Return the entry of a picture with words of the query in the fields of `bits`."""
    if not bits:
        return Entry(row, score)
    return Entry(row, score, why=field_names(bits), has_every_word=bool(bits & EVERY_WORD))


def _numbers_and_rows(entries: list[Entry]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the shard numbers and the rows of entries, (n,) each."""
    pairs = np.array([entry.row for entry in entries], np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
