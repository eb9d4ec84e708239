"""One state of a collection, with the interface of a library's `Snapshot`."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from snapseek.collection.answers import sample_of
from snapseek.collection.found_pictures import records, stored_vectors
from snapseek.collection.frames import Frame
from snapseek.collection.manifest import LOCAL_BITS, MAX_LOCAL_ID, Manifest
from snapseek.collection.overview import CollectionOverview
from snapseek.collection.partition_ranker import PartitionRanker
from snapseek.collection.query import Member, PartitionLostError, PartitionQuery
from snapseek.errors import ItemNotFoundError, PartitionError, SnapseekError
from snapseek.library.concepts.taught import TaughtConcepts
from snapseek.library.info import LibraryInfo, PartitionStatus
from snapseek.library.results import Hit, Hits, PartitionCounts, Timings
from snapseek.library.search.candidates import Entry, Ranking
from snapseek.library.search.likeness import CosineBars
from snapseek.library.search.query_vector import LazyEncoder, QueryVector
from snapseek.library.search.relevance import Relevance, relevant_in, sample_share
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.storage.rows import RowRef
from snapseek.search_request import INCLUDED, SearchRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from numpy.typing import NDArray

    from snapseek.collection.record_block import Recorded
    from snapseek.library.filters.typecheck import Kind
    from snapseek.library.search.relevance import Backgrounds
    from snapseek.library.storage.trust import Trust

T = TypeVar("T")


class CollectionSnapshot:
    """The partitions of a collection, each in one state. Safe to use from many threads.

    Parameters
    ----------
    path
        The manifest.
    manifest
        Its content.
    members
        The partitions that can answer, by number.
    missing
        Why the others cannot, by number.
    trust
        Which models may be loaded.
    threads
        Run what libraries of this process answer.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        members: Mapping[int, Member],
        missing: Mapping[int, SnapseekError],
        trust: Trust,
        threads: ThreadPoolExecutor,
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.members = dict(members)
        self.missing = dict(missing)
        self.silent: dict[int, SnapseekError] = {}
        """Why partitions did not answer when they were last looked at. Queries still try them."""
        self.trust = trust
        self.settings = {
            "name": manifest.name,
            "model": manifest.model,
            "fingerprint": manifest.fingerprint,
            "dim": str(manifest.dim),
        }
        self.version = _version([(number, one.facts.version) for number, one in sorted(members.items())])
        self.sampled: Backgrounds = {}
        """The backgrounds that were sampled of these pictures."""
        self._threads = threads
        self._relevance = _CollectionRelevance(self)
        self.concepts = TaughtConcepts((), None, self._relevance.pictures)
        """None: words are taught in libraries."""

    def __len__(self) -> int:
        """The number of pictures of the partitions that can answer."""
        return sum(member.facts.count for member in self.members.values())

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """The type of each column that filters can use, as the first partition with it has it."""
        kinds: dict[str, Kind] = {}
        for _, member in sorted(self.members.items()):
            kinds = {**member.facts.kinds, **kinds}
        return kinds

    def warm(self) -> None:
        """Read the libraries that are open in this process into memory."""
        for member in self.members.values():
            if member.state is not None:
                member.state.snapshot.warm()

    def search(self, request: SearchRequest, encoder: LazyEncoder) -> Hits:
        """Answer a request; see `Library.search`."""
        start = time.perf_counter()
        resolved = ResolvedRequest.of(request, self.kinds)
        if not resolved.terms:
            return self._listed(resolved, start)

        def attempt(query: PartitionQuery) -> Hits:
            vector = QueryVector(resolved.terms, encoder, _StoredVectors(self, query))
            named = {_ref(term.subject) for term in resolved.terms if isinstance(term.subject, int)}
            if named and resolved.mode == "words":
                self._check_known(query, named)
            ranker = PartitionRanker(query, resolved, self.manifest.dim, vector, named)
            bars = self._relevance.cosine_bars(encoder) if request.dedup else CosineBars()
            ranking = ranker.ranked(resolved, vector, named, bars)
            relevant = relevant_in(self._relevance, self.concepts, resolved, ranking, vector, encoder)
            return self._page(query, resolved, ranking, start, vector, relevant)

        return self._attempted(attempt)

    def browse(self, request: SearchRequest, _encoder: LazyEncoder) -> Hits:
        """List the pictures that match the filter of a request without a query."""
        start = time.perf_counter()
        return self._listed(ResolvedRequest.of(request, self.kinds, may_be_empty=True), start)

    def _listed(self, resolved: ResolvedRequest, start: float) -> Hits:
        def attempt(query: PartitionQuery) -> Hits:
            ranking = PartitionRanker(query, resolved, self.manifest.dim).listed(resolved)
            return self._page(query, resolved, ranking, start)

        return self._attempted(attempt)

    def _attempted(self, attempt: Callable[[PartitionQuery], T]) -> T:
        """Return what `attempt` makes of the answers; begin again without a partition that fails.

        Raises PartitionError if none can answer.
        """
        query = PartitionQuery(self.members, self.manifest.deadline_s, self._threads)
        while query.members:
            try:
                return attempt(query)
            except PartitionLostError:
                continue
        if not self.manifest.partitions:
            raise PartitionError(
                expected="a collection with partitions",
                got="none",
                hint=f"run: snapseek collection add {self.path} LIBRARY",
            )
        raise PartitionError("no partition can answer: " + "; ".join(self._sentences(query)))

    def _page(
        self,
        query: PartitionQuery,
        resolved: ResolvedRequest,
        ranking: Ranking,
        start: float,
        vector: QueryVector | None = None,
        relevant_count: int | None = None,
    ) -> Hits:
        ranked = time.perf_counter()
        entries = ranking.entries[resolved.request.offset :]
        hits = self._hits(query, entries, resolved.request.include)
        end = time.perf_counter()
        embed_s, tokenize_s = (vector.embed_s, vector.tokenize_s) if vector else (0.0, 0.0)
        took = Timings(
            embed_ms=1000 * embed_s,
            search_ms=1000 * (ranked - start - embed_s),
            fetch_ms=1000 * (end - ranked),
            total_ms=1000 * (end - start),
            tokenize_ms=1000 * tokenize_s,
        )
        return self._marked(
            Hits(
                hits,
                total=ranking.total,
                took=took,
                filters=resolved.filters,
                relevant_count=relevant_count,
                unfinished=resolved.unfinished,
            ),
            query,
        )

    def _marked(self, hits: Hits, query: PartitionQuery) -> Hits:
        """Return hits with the state that has answered."""
        hits.version = _version(query.versions())
        hits.library_count = sum(member.facts.count for member in query.members.values())
        hits.partitions = PartitionCounts(
            len(query.members), len(self.manifest.partitions), tuple(self._sentences(query))
        )
        return hits

    def _sentences(self, query: PartitionQuery) -> list[str]:
        """Return one sentence about each partition that does not answer."""
        lost = {**self.missing, **query.lost}
        entries = {entry.number: entry.name for entry in self.manifest.partitions}
        return [f"{entries[number]}: {lost[number].summary}" for number in sorted(lost) if number in entries]

    def _hits(
        self, query: PartitionQuery, entries: Sequence[Entry], include: Sequence[str] = INCLUDED
    ) -> list[Hit]:
        """Return entries with their records. Raises PartitionLostError if one has lost a picture."""
        found = records(query, [entry.row for entry in entries], include)
        for number in {entry.row.shard for entry in entries if entry.row not in found}:
            query.lost[number] = PartitionError("it has no record of a picture that it has found")
            del query.members[number]
        if any(entry.row not in found for entry in entries):
            raise PartitionLostError
        return [_hit(entry, found[entry.row], include) for entry in entries]

    @cached_property
    def overview(self) -> CollectionOverview:
        """What a page shows of all these pictures."""
        return CollectionOverview(self.kinds, self._attempted)

    __iter__ = None  # ids are no positions, so Python must not count them up

    def __getitem__(self, item: int) -> Hit:
        """Return the picture with that id, without a score. Raises ItemNotFoundError."""
        found = self.get_many([item])
        if not found:
            raise self._not_found(item)
        return found[0]

    def get_many(self, items: Sequence[int]) -> Hits:
        """Return the pictures with these ids in their order, without scores; unknown ids are skipped."""
        refs = [_ref(item) for item in items]

        def attempt(query: PartitionQuery) -> Hits:
            known = [ref for ref in dict.fromkeys(refs) if ref.shard in query.members]
            found = records(query, known, INCLUDED)
            hits = [_hit(Entry(ref), found[ref], INCLUDED) for ref in refs if ref in found]
            return self._marked(Hits(hits, total=len(hits)), query)

        return self._attempted(attempt)

    def vector(self, item: int) -> NDArray[np.float32]:
        """Return (dim,) float32, unit length, of the picture with that id. Raises ItemNotFoundError."""
        return self._attempted(lambda query: _StoredVectors(self, query).vector(item))

    def sample(self) -> list[NDArray[np.float32]]:
        """Return the vectors of a random sample of the pictures, partition by partition."""
        request = Frame({"op": "sample", "share": sample_share(len(self))})
        dim = self.manifest.dim
        return self._attempted(
            lambda query: list(
                query.ask_all("sample", request, lambda frame, _: sample_of(frame, dim)).values()
            )
        )

    def _check_known(self, query: PartitionQuery, named: set[RowRef]) -> None:
        found = stored_vectors(query, [ref for ref in named if ref.shard in query.members], self.manifest.dim)
        for ref in named - set(found):
            raise self._not_found((ref.shard << LOCAL_BITS) | ref.row)

    def member_of(self, item: int) -> tuple[Member, int]:
        """Return the partition of a picture, and its id there. Raises ItemNotFoundError."""
        ref = _ref(item)
        if ref.shard not in self.members:
            raise self._not_found(item)
        return self.members[ref.shard], ref.row

    def _not_found(self, item: int) -> ItemNotFoundError:
        ref = _ref(item)
        lost = self.missing.get(ref.shard)
        hint = None if lost is None else f"its partition does not answer: {lost.summary}"
        return ItemNotFoundError(expected="the id of a picture of this collection", got=str(item), hint=hint)

    def archive_uri(self, item: int) -> str | None:
        """Return the URI of an original inside an archive of this machine; None for any other picture."""
        member, local = self.member_of(item)
        return None if member.state is None else member.state.snapshot.archive_uri(local)

    def original_path(self, item: int) -> Path:
        """Return the path of an original on this machine. Raises ItemNotFoundError."""
        return self._local(item, lambda member, local: member.original_path(local))

    def recorded_path(self, item: int) -> Path:
        """Return the path in the record of a picture, to print it. Raises ItemNotFoundError."""
        return self._local(item, lambda member, local: member.recorded_path(local))

    def _local(self, item: int, read: Callable[..., Path]) -> Path:
        member, local = self.member_of(item)
        if member.state is None:
            raise ItemNotFoundError(f"picture {item} is on another machine: partition {member.entry.name}")
        return read(member.state.snapshot, local)

    def unconfirmed(self) -> tuple[Path, ...]:
        """Return what the libraries of this process name and you have not confirmed."""
        states = [member.state for member in self.members.values() if member.state is not None]
        return tuple(dict.fromkeys(path for state in states for path in state.snapshot.unconfirmed()))

    def info(self, provider: str) -> LibraryInfo:
        """Return what the collection is in this state."""
        facts = [member.facts for _, member in sorted(self.members.items())]
        skipped: Counter[str] = Counter()
        for one in facts:
            skipped.update(one.skipped)
        return LibraryInfo(
            path=self.path,
            name=self.manifest.name,
            count=len(self),
            failed=sum(one.failed for one in facts),
            skipped=dict(skipped),
            dim=self.manifest.dim,
            model=self.manifest.model,
            fingerprint=self.manifest.fingerprint,
            provider=provider,
            kernel=facts[0].kernel if facts else "none",
            version=self.version,
            created=min((one.created for one in facts), default=""),
            size_bytes=sum(one.size_bytes for one in facts),
            folders=(),
            has_remote=any(one.has_remote for one in facts),
        )

    def states(self) -> list[PartitionStatus]:
        """Return the partitions, and which of them answer."""
        found = []
        for entry in self.manifest.partitions:
            member = self.members.get(entry.number)
            lost = self.missing.get(entry.number) or self.silent.get(entry.number)
            count = member.facts.count if member else 0
            found.append(PartitionStatus(entry.name, count, lost.summary if lost else None))
        return found


class _StoredVectors:
    """The vectors of the pictures that a query names by their ids."""

    def __init__(self, snapshot: CollectionSnapshot, query: PartitionQuery) -> None:
        self._snapshot = snapshot
        self._query = query

    def vector(self, item: int) -> NDArray[np.float32]:
        """Return (dim,) float32, unit length. Raises ItemNotFoundError."""
        ref = _ref(item)
        if ref.shard not in self._query.members:
            raise self._snapshot._not_found(item)
        found = stored_vectors(self._query, [ref], self._snapshot.manifest.dim)
        if ref not in found:
            raise self._snapshot._not_found(item)
        stored = found[ref]
        return np.asarray(stored / np.linalg.norm(stored), np.float32)


class _CollectionRelevance(Relevance):
    """Counts the relevant results of a collection; without a measured background it samples partitions."""

    def __init__(self, snapshot: CollectionSnapshot) -> None:
        self.sampled = snapshot.sampled
        self._measured: Backgrounds = {}
        self._bars = {}
        self._sampled_vectors = None
        self._snapshot = snapshot

    def _sample_vectors(self) -> list[NDArray[np.float32]]:
        return self._snapshot.sample()


def _ref(item: int) -> RowRef:
    """Return the number of the partition of an id, and the id there; -1 where no partition can have it."""
    return RowRef(item >> LOCAL_BITS, item & MAX_LOCAL_ID) if item >= 0 else RowRef(-1, 0)


def _hit(entry: Entry, record: Recorded, include: Sequence[str]) -> Hit:
    return Hit(
        id=(entry.row.shard << LOCAL_BITS) | entry.row.row,
        score=entry.score,
        uri=record.uri,
        width=record.width,
        height=record.height,
        color=record.color,
        preview=record.preview if "preview" in include else b"",
        caption=record.caption if "caption" in include else None,
        meta=record.meta if "meta" in include else {},
        similar=tuple((ref.shard << LOCAL_BITS) | ref.row for ref in entry.similar),
        similar_scores=entry.similar_scores,
        may_load=record.may_load,
        why=entry.why,
    )


def _version(versions: Sequence[tuple[int, str]]) -> str:
    """Return the version of a collection whose partitions have these versions."""
    return hashlib.blake2b(repr(list(versions)).encode(), digest_size=4).hexdigest()
