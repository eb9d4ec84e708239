"""One state of a collection, with the interface of a library's `Snapshot`."""

from __future__ import annotations

import hashlib
import operator
import time
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from snapseek.collection.answers import sample_of
from snapseek.collection.collection_info import info_of, states_of
from snapseek.collection.concepts import CollectionConcepts
from snapseek.collection.duplicates import PartitionPictures
from snapseek.collection.found_pictures import StoredVectors, hit_of, records, stored_vectors, unit_vectors
from snapseek.collection.frames import Frame
from snapseek.collection.manifest import Manifest, id_of, ref_of
from snapseek.collection.overview import CollectionOverview
from snapseek.collection.partition_ranker import PartitionRanker
from snapseek.collection.picture_errors import no_answer_for, no_picture
from snapseek.collection.query import Member, PartitionLostError, PartitionQuery
from snapseek.collection.relevance import CollectionRelevance
from snapseek.collection.request_fields import MAX_K
from snapseek.errors import ItemNotFoundError, PartitionError, SnapseekError
from snapseek.library.duplicates.review import DuplicateReview, check_count, review
from snapseek.library.results import Hit, Hits, PartitionCounts, Timings
from snapseek.library.search.candidates import Entry, Ranking
from snapseek.library.search.likeness import CosineBars
from snapseek.library.search.notices import Notice, language_notices
from snapseek.library.search.query_vector import LazyEncoder, QueryVector
from snapseek.library.search.relevance import relevant_in, sample_share
from snapseek.library.search.request import ResolvedRequest, Where
from snapseek.library.search.terms import checked_id, is_id
from snapseek.search_request import INCLUDED, SearchRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from numpy.typing import NDArray

    from snapseek.library.filters.typecheck import Kind
    from snapseek.library.info import LibraryInfo, PartitionStatus
    from snapseek.library.search.relevance import Backgrounds
    from snapseek.library.storage.rows import RowRef
    from snapseek.library.storage.trust import Trust

_BLOCK_ROWS = 2048
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
        self.version = self._version([(number, one.facts.version) for number, one in sorted(members.items())])
        self.sampled: Backgrounds = {}
        """The backgrounds that were sampled of these pictures."""
        self._threads = threads
        self._relevance = CollectionRelevance(self.sampled, self.sample)
        self.concepts = CollectionConcepts(manifest.concepts, self._relevance.pictures, self._marked_vectors)

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
        resolved = self._resolved(request, encoder, may_be_empty=False)
        if not resolved.terms:
            return self._listed(resolved, start)

        def attempt(query: PartitionQuery) -> Hits:
            vector = QueryVector(resolved.terms, encoder, self._stored(query), self.concepts.embed)
            named = {ref_of(term.subject) for term in resolved.terms if isinstance(term.subject, int)}
            if named and resolved.mode == "words":
                self._check_known(query, named)
            ranker = PartitionRanker(query, resolved, self.manifest.dim, vector, named)
            bars = self._relevance.cosine_bars(encoder) if request.dedup else CosineBars()
            ranking = ranker.ranked(resolved, vector, named, bars)
            are_taught = self.concepts.are_named(resolved.terms)
            notices = () if are_taught else language_notices(resolved, ranking.entries, encoder)
            relevant = relevant_in(
                self._relevance, self.concepts, resolved, ranking, vector, encoder, notices
            )
            return self._page(query, resolved, ranking, start, vector, relevant, notices)

        return self._attempted(attempt, resolved)

    def browse(self, request: SearchRequest, encoder: LazyEncoder) -> Hits:
        """List the pictures that match the filter of a request without a query."""
        start = time.perf_counter()
        return self._listed(self._resolved(request, encoder), start)

    def duplicates(self, where: Where | None, encoder: LazyEncoder) -> DuplicateReview:
        """Compare the pictures that match a filter; see `Library.duplicates`."""
        resolved = self._resolved(SearchRequest(where=where), encoder)
        bars = self._relevance.cosine_bars(encoder)

        def attempt(query: PartitionQuery) -> DuplicateReview:
            pages = PartitionRanker(query, resolved, self.manifest.dim).pages(MAX_K, check_count)
            rows = [row for page in pages for row in page]
            return review(PartitionPictures(query, rows, self.manifest.dim), bars)

        return self._attempted(attempt, resolved)

    def _resolved(
        self, request: SearchRequest, encoder: LazyEncoder, *, may_be_empty: bool = True
    ) -> ResolvedRequest:
        """Resolve a request, and train the concepts that its filters name."""
        keys = self.concepts.keys
        resolved = ResolvedRequest.of(request, self.kinds, concepts=keys, may_be_empty=may_be_empty)
        self.concepts.prepare(resolved.concepts, encoder)
        return resolved

    def _listed(self, resolved: ResolvedRequest, start: float) -> Hits:
        def attempt(query: PartitionQuery) -> Hits:
            ranking = PartitionRanker(query, resolved, self.manifest.dim).listed(resolved)
            return self._page(query, resolved, ranking, start)

        return self._attempted(attempt, resolved)

    def _query(self, resolved: ResolvedRequest | None = None) -> PartitionQuery:
        """Return the partitions for one query, with the concepts that its filters name."""
        concepts = self.concepts.sent(resolved.concepts, self.manifest.dim) if resolved else None
        return PartitionQuery(self.members, self.manifest.deadline_s, self._threads, concepts)

    def _attempted(
        self, attempt: Callable[[PartitionQuery], T], resolved: ResolvedRequest | None = None
    ) -> T:
        """Return what `attempt` makes of the answers; begin again without a partition that fails.

        Raises PartitionError if none can answer.
        """
        query = self._query(resolved)
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
        notices: Sequence[Notice] = (),
    ) -> Hits:
        ranked = time.perf_counter()
        hits = self._hits(query, ranking.page(resolved.request), resolved.request.include)
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
                notices=notices,
                text_model=vector.text_model if vector else None,
            ),
            query,
        )

    def _marked(self, hits: Hits, query: PartitionQuery) -> Hits:
        """Return hits with the state that has answered."""
        hits.version = self._version(query.versions())
        hits.model, hits.dim = self.manifest.model, self.manifest.dim
        hits.library_count = sum(member.facts.count for member in query.members.values())
        hits.partitions = PartitionCounts(
            len(query.members), len(self.manifest.partitions), tuple(self._sentences(query))
        )
        return hits

    def _version(self, versions: Sequence[tuple[int, str]]) -> str:
        """Return the version of an answer by the versions of its partitions: it changes with every commit."""
        parts = [list(versions), *([self.manifest.concepts] if self.manifest.concepts else [])]
        return hashlib.blake2b(repr(parts).encode(), digest_size=4).hexdigest()

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
        query.check_complete([entry.row for entry in entries], found)
        return [hit_of(entry, found[entry.row], include) for entry in entries]

    @cached_property
    def overview(self) -> CollectionOverview:
        """What a page shows of all these pictures."""
        return CollectionOverview(self.kinds, self._attempted)

    def __contains__(self, item: object) -> bool:
        """Return whether a picture has that id."""
        return is_id(item) and bool(self.get_many([operator.index(item)]))

    def __iter__(self) -> Iterator[Hit]:
        """Yield all pictures in the order of `browse`, without scores; reads some thousands at a time.

        Raises PartitionError if a partition fails meanwhile.
        """
        query = self._query()
        resolved = ResolvedRequest.of(SearchRequest(), self.kinds, may_be_empty=True)
        try:
            for rows in PartitionRanker(query, resolved, self.manifest.dim).pages(_BLOCK_ROWS):
                yield from self._hits(query, list(map(Entry, rows)))
        except PartitionLostError:
            raise PartitionError(
                "not all pictures can be read: " + "; ".join(self._sentences(query))
            ) from None

    def __getitem__(self, item: int) -> Hit:
        """Return the picture with that id, without a score. Raises ItemNotFoundError or InputError."""
        found = self.get_many([checked_id(item)])
        if not found:
            raise no_picture(item, self.missing)
        return found[0]

    def get_many(self, items: Sequence[int]) -> Hits:
        """Return the pictures with these ids in their order, without scores; unknown ids are skipped."""
        refs = [ref_of(operator.index(item)) for item in items if is_id(item)]

        def attempt(query: PartitionQuery) -> Hits:
            known = [ref for ref in dict.fromkeys(refs) if ref.shard in query.members]
            found = records(query, known, INCLUDED)
            hits = [hit_of(Entry(ref), found[ref], INCLUDED) for ref in refs if ref in found]
            return self._marked(Hits(hits, total=len(hits)), query)

        return self._attempted(attempt)

    def vector(self, item: int) -> NDArray[np.float32]:
        """Return (dim,) float32, unit length, of the picture with that id. Raises ItemNotFoundError."""
        return self._attempted(lambda query: self._stored(query).vector(item))

    def _stored(self, query: PartitionQuery) -> StoredVectors:
        return StoredVectors(query, self.manifest.dim, lambda item: no_picture(item, self.missing))

    def vectors_of(self, items: Sequence[int]) -> NDArray[np.float32]:
        """Return (n, dim) float32 unit rows of the pictures with these ids. Raises ItemNotFoundError."""
        rows = [self.vector(item) for item in items]
        return np.stack(rows) if rows else np.zeros((0, self.manifest.dim), np.float32)

    def _marked_vectors(self, items: Sequence[int]) -> tuple[NDArray[np.float32], bool]:
        """Return unit vectors of those pictures that are there, and whether all partitions have answered."""
        refs = list(map(ref_of, items))

        def attempt(query: PartitionQuery) -> tuple[NDArray[np.float32], bool]:
            known = [ref for ref in refs if ref.shard in query.members]
            found = stored_vectors(query, known, self.manifest.dim)
            rows = unit_vectors(query, [ref for ref in known if ref in found], self.manifest.dim)
            return rows, not query.lost

        return self._attempted(attempt)

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
            raise no_picture(id_of(ref), self.missing)

    def check_items(self, items: Sequence[int]) -> None:
        """Raise ItemNotFoundError for an id without a picture, PartitionError if its partition is missing."""
        refs = list(map(ref_of, items))

        def attempt(query: PartitionQuery) -> tuple[set[RowRef], dict[int, SnapseekError]]:
            known = [ref for ref in dict.fromkeys(refs) if ref.shard in query.members]
            return set(records(query, known, ())), {**self.missing, **query.lost}

        found, lost = self._attempted(attempt)
        for ref in refs:
            if ref not in found:
                raise no_answer_for(ref, lost, self.manifest) or no_picture(id_of(ref), self.missing)

    def member_of(self, item: int) -> tuple[Member, int]:
        """Return the partition of a picture, and its id there. Raises ItemNotFoundError."""
        ref = ref_of(item)
        if ref.shard not in self.members:
            raise no_picture(item, self.missing)
        return self.members[ref.shard], ref.row

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
        return info_of(self, provider)

    def states(self) -> list[PartitionStatus]:
        """Return the partitions, and which of them answer."""
        return states_of(self)
