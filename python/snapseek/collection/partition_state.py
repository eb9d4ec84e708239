"""What a partition answers a router: the operations on one state of its library.

An operation takes a frame and returns one. Pictures have the ids of the library; the router adds the number
of the partition. All operations of a query name the `version` that the first of them was answered by.

operation     fields                                   arrays             answer
describe                                                                  facts, the kinds of columns
rank          tree, k, exact, words, mode, sort,       vector, excluded   count, excluded, statistics;
              trainings, records, include                                 ids, scores, keys, records of
                                                                          the first
words         tree, k, words, mode, sort, statistics   vector, preferred  ids, scores, bits, cosines, keys
listed        tree, sort, start, end                                      count; ids, keys
order         tree, sort, samples                                         count; ids, keys
listed_after  tree, sort, key, item, end                                  count, before; ids, keys
vectors                                                ids                ids, vectors
records       include                                  ids                ids, records, record_ends,
                                                                          previews, ends
sample        share                                                       vectors
suggestions                                                               columns, words, ranges
facet         tree, column, kind, contains,                               values, minimum, maximum
              within
timeline      tree, newest_first                       keys               months, total, undated; before

A `tree` that names concepts comes with these: see `snapseek.collection.concepts`.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from snapseek.collection.concepts import ReceivedConcepts
from snapseek.collection.frames import Array, Frame, excerpt
from snapseek.collection.overview_answers import MAX_FACET_VALUES, MAX_SUGGESTED
from snapseek.collection.record_block import record_arrays
from snapseek.collection.request_fields import (
    MAX_K,
    ids_of,
    included_in,
    integer_of,
    signed_of,
    sort_of,
    statistics_of,
    text_of,
    words_of,
)
from snapseek.collection.tree_json import tree_from_json
from snapseek.errors import ArrayError, OutOfRangeError, UnknownChoiceError
from snapseek.library.search.bm25 import WordStatistics, bm25_scores, query_words, word_statistics
from snapseek.library.search.candidates import Candidates
from snapseek.library.search.facets import Facets, is_in_folder
from snapseek.library.search.rank import Ranker
from snapseek.library.search.relevance import sample_rows
from snapseek.library.search.sort_keys import first_rows, sort_keys
from snapseek.library.search.terms import MAX_TERMS
from snapseek.library.search.timeline import MonthIndex
from snapseek.library.search.word_matches import best_matches, match_statistics, word_matches
from snapseek.library.snapshot import Snapshot
from snapseek.library.storage.rows import RowHits, RowRef
from snapseek.library.storage.selection import Selection
from snapseek.library.storage.shared_training import SharedTraining
from snapseek.search_request import check_choice

if TYPE_CHECKING:
    from snapseek.library.filters.typecheck import Kind

MAX_EARLY = 64
"""The largest number of records that come with a ranking."""

_FACET_KINDS = ("number", "date", "flag", "text", "list", "folder", "year", "month")
_MAX_ORDERS = 2
_MAX_RANKERS = 4
"""Rankers with concepts of a router that are kept, with the pictures that show these."""

_NO_IDS = np.zeros(0, np.int64)
Ids = NDArray[np.int64]


def commit_of(snapshot: Snapshot) -> str:
    """Return the checksum of a commit: of its model, its version and the rows of its shards."""
    digest = hashlib.blake2b(digest_size=16)
    settings = snapshot.settings
    digest.update(f"{settings['fingerprint']} {settings['version']} {settings.get('next_id')}".encode())
    for part in snapshot.shards.parts:
        digest.update(f" {part.shard.stem} {len(part.shard)} {len(part)}".encode())
    return digest.hexdigest()


class PartitionState:
    """Answers for one state of a library. Safe to use from many threads."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.version = snapshot.version
        self._shards = snapshot.shards
        self._training = SharedTraining.of_settings(snapshot.settings)
        self._ranker: Ranker = snapshot.ranker
        self._order_of = lru_cache(_MAX_ORDERS)(
            lambda selection, sort: self._first_by(selection, sort, selection.count)
        )
        self._months_of = lru_cache(_MAX_ORDERS)(
            lambda selection, newest: MonthIndex(self._shards.parts, selection, newest_first=newest)
        )
        self._ranker_with = lru_cache(_MAX_RANKERS)(self._with_concepts)
        self._operations: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Frame]] = {
            "describe": self._describe,
            "rank": self._rank,
            "words": self._words,
            "listed": self._listed,
            "order": self._order,
            "listed_after": self._listed_after,
            "vectors": self._vectors,
            "records": self._records,
            "sample": self._sample,
            "suggestions": self._suggestions,
            "facet": self._facet,
            "timeline": self._timeline,
        }

    def answer(self, request: Frame) -> Frame:
        """Return the answer to a request of a router. Raises InputError for a malformed one."""
        operation = request.fields.get("op")
        found = self._operations.get(operation) if isinstance(operation, str) else None
        if found is None:
            raise UnknownChoiceError(expected=f"one of {', '.join(self._operations)}", got=excerpt(operation))
        self._shards.check_length()
        answer = found(request.fields, request.arrays)
        return Frame({**answer.fields, "version": self.version}, answer.arrays)

    def _describe(self, _fields: Mapping[str, Any], _arrays: Mapping[str, Any]) -> Frame:
        info = self.snapshot.info("")
        return Frame(
            {
                "name": info.name,
                "model": info.model,
                "fingerprint": info.fingerprint,
                "dim": info.dim,
                "count": info.count,
                "failed": info.failed,
                "skipped": dict(info.skipped),
                "kernel": info.kernel,
                "created": info.created,
                "size_bytes": info.size_bytes,
                "has_remote": info.has_remote,
                "next_id": int(self.snapshot.settings.get("next_id", "1")),
                "commit": commit_of(self.snapshot),
                "kinds": self.snapshot.kinds,
                "training": "" if self._training is None else self._training.checksum,
                "trained_rows": 0 if self._training is None else self._training.rows,
            }
        )

    def _rank(self, fields: Mapping[str, Any], arrays: Mapping[str, Any]) -> Frame:
        selection = self._selection(fields, arrays)
        excluded = self._refs(ids_of(arrays, "excluded"))
        k = integer_of(fields, "k", MAX_K + MAX_TERMS)
        sums = self._statistics(fields)
        answer: dict[str, Any] = {
            "count": selection.count,
            "excluded": sum(selection.has(ref.shard, ref.row) for ref in excluded),
            "statistics": None if sums is None else [sums.rows, sums.length, list(sums.counts)],
        }
        if "vector" not in arrays or k == 0:
            return Frame(answer, {"ids": _NO_IDS, "scores": np.zeros(0, np.float32)})
        candidates = Candidates(
            self._shards, selection, (), exact=bool(fields.get("exact")), training=self._training_in(fields)
        )
        found = candidates.search(self._vector(arrays), k)
        found_arrays: dict[str, Array] = {
            "ids": self._ranker.ids(found.shards, found.rows),
            "scores": found.scores,
            **self._keys(fields, found.shards, found.rows),
        }
        early = integer_of({"records": 0, **fields}, "records", MAX_EARLY)
        if early:
            first = self.snapshot.get_many(found_arrays["ids"][:early].tolist())
            found_arrays |= record_arrays(first, included_in(fields))
        return Frame(answer, found_arrays)

    def _words(self, fields: Mapping[str, Any], arrays: Mapping[str, Any]) -> Frame:
        """Answer with the pictures that have words, scored by the statistics of the whole collection."""
        selection = self._selection(fields, arrays)
        k = integer_of(fields, "k", MAX_K + MAX_TERMS)
        words = words_of(fields)
        sums = statistics_of(fields, len(query_words(words)))
        stores = [part.shard.columns for part in self._shards.parts]
        if fields.get("mode") == "auto":
            preferred = set(self._refs(ids_of(arrays, "preferred")))
            matches = best_matches(word_matches(stores, selection.masks, words, sums), (), preferred, k)
            refs = [ref for _, ref, _ in matches]
            scores = np.array([score for score, _, _ in matches], np.float32)
            bits = np.array([bits for _, _, bits in matches], np.uint8)
        else:
            found = bm25_scores(stores, selection.masks, words, sums)
            refs, scores = self._ranker.best_scored(found, k)
            bits = np.zeros(len(refs), np.uint8)
        shards, rows = _split(refs)
        found_rows = RowHits(shards, rows, scores)
        has_vector = "vector" in arrays
        cosines = self._shards.scores(found_rows, self._vector(arrays)) if has_vector else scores[:0]
        return Frame(
            {},
            {
                "ids": self._ranker.ids(shards, rows),
                "scores": scores,
                "bits": bits,
                "cosines": cosines,
                **self._keys(fields, shards, rows),
            },
        )

    def _listed(self, fields: Mapping[str, Any], arrays: Mapping[str, Any]) -> Frame:
        """Answer with matching pictures in stored order, or with the first ones by a sort."""
        selection = self._selection(fields, arrays)
        start, end = integer_of(fields, "start", 2**53), integer_of(fields, "end", 2**53)
        sort = sort_of(fields)
        if (end - start if sort == "relevance" else end) > MAX_K:
            raise OutOfRangeError(expected=f"up to {MAX_K} pictures of a partition", got=str(end - start))
        if sort == "relevance":
            ids = self._stored(selection, start, end)
            return Frame({"count": selection.count}, {"ids": ids, "keys": _NO_IDS})
        ids, keys = self._first_by(selection, sort, end)
        return Frame({"count": selection.count}, {"ids": ids, "keys": keys})

    def _first_by(self, selection: Selection, sort: str, end: int) -> tuple[Ids, Ids]:
        """Return ids and sort keys, (n,) each, of the first pictures by a sort."""
        found, keys = [_NO_IDS], [_NO_IDS]
        for number, part in enumerate(self._shards.parts):
            part_keys = sort_keys(part.shard.columns, sort)
            first = first_rows(part_keys, part.shard.ids, selection.masks[number], end)
            found.append(part.shard.ids[first])
            keys.append(part_keys[first])
        all_ids, all_keys = np.concatenate(found), np.concatenate(keys)
        order = np.lexsort((all_ids, all_keys))[:end]
        return all_ids[order], all_keys[order]

    def _order(self, fields: Mapping[str, Any], arrays: Mapping[str, Any]) -> Frame:
        """Answer with matching pictures of a sort, evenly spaced: the last one of each step."""
        selection = self._selection(fields, arrays)
        samples = integer_of(fields, "samples", MAX_K)
        ids, keys = self._order_of(selection, sort_of(fields))
        step = max(1, -(-len(ids) // max(1, samples)))
        spaced = slice(step - 1, None, step)
        return Frame({"count": len(ids)}, {"ids": ids[spaced], "keys": keys[spaced]})

    def _listed_after(self, fields: Mapping[str, Any], arrays: Mapping[str, Any]) -> Frame:
        """Answer with the pictures of a sort after a key and an id, and how many are before."""
        selection = self._selection(fields, arrays)
        key, item = signed_of(fields, "key"), signed_of(fields, "item")
        end = integer_of(fields, "end", MAX_K)
        ids, keys = self._order_of(selection, sort_of(fields))
        low, high = (int(np.searchsorted(keys, key, side)) for side in ("left", "right"))
        before = int(low + np.searchsorted(ids[low:high], item, "right"))
        page = slice(before, before + end)
        return Frame({"count": len(ids), "before": before}, {"ids": ids[page], "keys": keys[page]})

    def _stored(self, selection: Selection, start: int, end: int) -> Ids:
        found: list[int] = []
        for number, part in enumerate(self._shards.parts):
            if end <= 0:
                break
            mask = selection.masks[number]
            count = len(part.shard) if mask is None else int(np.count_nonzero(mask))
            rows = selection.rows_by_id(number, max(0, start), end) if start < count else []
            found += part.shard.ids_of(np.array(rows, np.int64)).tolist()
            start, end = start - count, end - count
        return np.array(found, np.int64)

    def _vectors(self, _fields: Mapping[str, Any], arrays: Mapping[str, Any]) -> Frame:
        """Answer with the stored vectors of those pictures that are known."""
        refs = self._refs(ids_of(arrays, "ids"))
        shards, rows = _split(refs)
        vectors = np.zeros((len(refs), int(self.snapshot.settings["dim"])), np.float32)
        for number in np.unique(shards).tolist():
            here = shards == number
            vectors[here] = self._shards.parts[number].shard.index.vectors(rows[here])
        return Frame({}, {"ids": self._ranker.ids(shards, rows), "vectors": vectors})

    def _records(self, fields: Mapping[str, Any], arrays: Mapping[str, Any]) -> Frame:
        """Answer with the records of those pictures that are known, previews in one array."""
        include = included_in(fields)
        hits = self.snapshot.get_many(ids_of(arrays, "ids").tolist())
        return Frame(
            {}, {"ids": np.array([hit.id for hit in hits], np.int64), **record_arrays(hits, include)}
        )

    def _sample(self, fields: Mapping[str, Any], _arrays: Mapping[str, Any]) -> Frame:
        """Answer with the vectors of a random share of the pictures, to measure a background."""
        share = fields.get("share")
        if not isinstance(share, int | float) or not 0 <= share <= 1:
            raise OutOfRangeError(expected="a share from 0 to 1", got=excerpt(share))
        everything = self._ranker.selection_of(None)
        parts = [np.zeros((0, int(self.snapshot.settings["dim"])), np.float32)]
        for number, part in enumerate(self._shards.parts):
            parts.append(part.shard.index.vectors(sample_rows(part, number, everything, share)))
        return Frame({}, {"vectors": np.concatenate(parts)[:MAX_K]})

    def _suggestions(self, _fields: Mapping[str, Any], _arrays: Mapping[str, Any]) -> Frame:
        found = self.snapshot.overview.suggestion_source
        columns = [
            asdict(column) | {"values": [[*pair] for pair in column.values[:MAX_SUGGESTED]]}
            for column in found.columns
        ]
        ranges = [[one.name, one.kind, one.minimum, one.maximum] for one in found.ranges]
        words = [[*pair] for pair in found.words]
        return Frame({"columns": columns, "words": words, "ranges": ranges, "refused": sorted(found.refused)})

    def _facet(self, fields: Mapping[str, Any], arrays: Mapping[str, Any]) -> Frame:
        """Answer with the values of a column of the collection, which this library may lack.

        With `within` these are the folders in that one, at any depth.
        """
        column, kind = text_of(fields, "column"), text_of(fields, "kind")
        check_choice("kind", kind, _FACET_KINDS)
        kinds = {**self.snapshot.kinds, column: cast("Kind", "text" if kind == "folder" else kind)}
        facets = Facets(self._shards.parts, kinds, self._selection(fields, arrays))
        if fields.get("within") is None:
            found = facets.facet(column, contains=text_of(fields, "contains"), limit=MAX_FACET_VALUES)
            counts = [[entry.value, entry.count] for entry in found.values]
            return Frame({"values": counts, "minimum": found.minimum, "maximum": found.maximum})
        within = text_of(fields, "within")
        counts = [[*pair] for pair in facets.counts(column) if is_in_folder(pair[0], within)]
        return Frame({"values": counts[:MAX_FACET_VALUES], "minimum": None, "maximum": None})

    def _timeline(self, fields: Mapping[str, Any], arrays: Mapping[str, Any]) -> Frame:
        """Answer with the months, the rank key of the first picture of each, or the numbers before keys."""
        months = self._months_of(self._selection(fields, arrays), fields.get("newest_first") is True)
        if "keys" in arrays:
            return Frame({}, {"before": np.array(months.before(ids_of(arrays, "keys").tolist()), np.int64)})
        listed = [[name, *found] for name, found in months.months.items()]
        return Frame({"months": listed, "total": months.total, "undated": months.undated})

    def _selection(self, fields: Mapping[str, Any], arrays: Mapping[str, Any]) -> Selection:
        concepts = ReceivedConcepts.of(fields, arrays, int(self.snapshot.settings["dim"]))
        ranker = self._ranker if concepts is None else self._ranker_with(concepts)
        return ranker.selection_of(tree_from_json(fields.get("tree")))

    def _with_concepts(self, concepts: ReceivedConcepts) -> Ranker:
        return Ranker(self._shards, concepts.taught(self._shards).members)

    def _training_in(self, fields: Mapping[str, Any]) -> SharedTraining | None:
        """Return the own training if the request names it: the other partitions have its other rows."""
        named = fields.get("trainings")
        is_named = isinstance(named, list) and self._training is not None and self._training.checksum in named
        return self._training if is_named else None

    def _statistics(self, fields: Mapping[str, Any]) -> WordStatistics | None:
        """Return the statistics of the words of a request; None without words."""
        if not fields.get("words"):
            return None
        words = words_of(fields)
        stores = [part.shard.columns for part in self._shards.parts]
        return (match_statistics if fields.get("mode") == "auto" else word_statistics)(stores, words)

    def _keys(self, fields: Mapping[str, Any], shards: Ids, rows: Ids) -> dict[str, Ids]:
        sort = sort_of(fields)
        return {} if sort == "relevance" else {"keys": self._ranker.keys(shards, rows, sort)}

    def _vector(self, arrays: Mapping[str, Any]) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = arrays["vector"]
        dim = int(self.snapshot.settings["dim"])
        if vector.dtype != np.float32 or vector.shape != (dim,) or not np.isfinite(vector).all():
            raise ArrayError(
                expected=f"a vector of {dim} finite float32", got=f"{vector.dtype} {vector.shape}"
            )
        return vector

    def _refs(self, ids: Ids) -> list[RowRef]:
        """Return the addresses of those pictures that are known, in the order of `ids`."""
        order = np.argsort(ids, kind="stable")
        found: dict[int, RowRef] = {}
        for number, part in enumerate(self._shards.parts):
            known = part.living_ids(ids[order])
            rows = part.shard.rows_of(known)
            found |= zip(known.tolist(), map(RowRef, [number] * len(rows), rows.tolist()), strict=True)
        return [found[item] for item in ids.tolist() if item in found]


def _split(refs: list[RowRef]) -> tuple[Ids, Ids]:
    pairs = np.array(refs, np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
