"""One state of a library: the pictures of a single commit."""

import operator
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import FormatError, ItemNotFoundError, LibraryNotFoundError, StorageError
from snapseek.library.concepts.taught import TaughtConcepts
from snapseek.library.duplicates.review import DuplicateReview, review_library
from snapseek.library.filters.typecheck import Kind
from snapseek.library.info import FileCounts, LibraryInfo
from snapseek.library.missing_previews import ids_without_preview
from snapseek.library.results import Hit, Hits, Timings, read_hits
from snapseek.library.search.candidates import Entry, Ranking
from snapseek.library.search.likeness import CosineBars
from snapseek.library.search.notices import Notice, language_notices
from snapseek.library.search.overview import Overview
from snapseek.library.search.query_vector import LazyEncoder, QueryVector
from snapseek.library.search.rank import Ranker
from snapseek.library.search.relevance import Relevance, relevant_in
from snapseek.library.search.request import ResolvedRequest, Where
from snapseek.library.search.terms import checked_id, is_id
from snapseek.library.storage.concept_table import ConceptRow
from snapseek.library.storage.confirmations import ID_SETTING, NOTHING, Confirmed
from snapseek.library.storage.database import Database
from snapseek.library.storage.disk_space import memory_bytes
from snapseek.library.storage.relocation import Relocation
from snapseek.library.storage.rows import RowRef
from snapseek.library.storage.schema import FILE_NAME, IMPORT, URLS
from snapseek.library.storage.shards import RecordBlock, Shards
from snapseek.library.storage.source_table import Source, folders_of
from snapseek.library.storage.trust import Trust, not_confirmed, path_in
from snapseek.mapped_file import LoadMode
from snapseek.search_request import INCLUDED, SearchRequest
from snapseek.sources.archive_uri import file_of, is_member

_MAX_CHANGE = 0.2
"""By this share of its size a library may change before the background of its relevance is sampled again."""

MAX_SAMPLE_ROWS = 100_000


class Snapshot:
    """The pictures of one commit. It never changes, and stays usable after later commits.

    A search uses one snapshot and nothing else, so no answer mixes two states. Safe to use from many threads.
    Make one with `Snapshot.read`.
    """

    def __init__(
        self,
        path: Path,
        settings: dict[str, str],
        sources: Sequence[Source],
        shards: Shards,
        counts: FileCounts,
        relocation: Relocation,
        trust: Trust,
        concepts: Sequence[ConceptRow],
    ) -> None:
        self.settings = settings
        self.trust = trust
        """What of this machine the library may show."""
        self._relocation = relocation
        self._path = path
        self._sources = tuple(sources)
        self._counts = counts
        self._shards = shards
        self.concepts = TaughtConcepts(concepts, shards, lambda encoder: self._relevance.pictures(encoder))
        self._ranker = Ranker(shards, self.concepts.members)
        self._relevance = Relevance(shards, self._ranker.selection_of(None), {})
        self._size_bytes = shards.size_bytes + (path / FILE_NAME).stat().st_size

    @classmethod
    def read(
        cls,
        path: Path,
        database: Database,
        before: Self | None = None,
        allowed: Confirmed = NOTHING,
        load: LoadMode = "map",
    ) -> Self:
        """Read the state that is committed now in the library at `path`.

        Shards that `before` has open are shared with it. Raises FormatError for a damaged library.
        """
        seen = database.changes()
        try:
            return cls._read(path, database, before, allowed, load)
        except (FormatError, StorageError, FileNotFoundError):
            if database.changes() == seen:
                raise
        # A commit replaced a shard after its name was read, and its files are gone: read again.
        return cls.read(path, database, before, allowed, load)

    @classmethod
    def _read(
        cls, path: Path, database: Database, before: Self | None, allowed: Confirmed, load: LoadMode
    ) -> Self:
        with database.reading():
            settings = database.settings.all()
            sources = database.sources.all()
            counts = FileCounts(database.count_failed(), database.folders.skipped_counts())
            relocation = database.relocation
            rows = database.shards.all()
            deleted = database.shards.tombstones()
            concepts = database.concepts.all()
        if "fingerprint" not in settings:
            raise LibraryNotFoundError(
                expected=f"a library at {path}",
                got="one without any pictures yet",
                hint=f"run: snapseek index FOLDER --library {path}",
            )
        shards = Shards(path, rows, deleted, before._shards if before else None, load)
        for part in shards.parts:
            if part.shard.index.dim != int(settings["dim"]):
                raise FormatError(
                    expected=f"vectors of {settings['dim']} numbers in shard {part.shard.stem} of {path}",
                    got=str(part.shard.index.dim),
                    hint="run: snapseek repair",
                )
        trust = Trust(path, settings.get(ID_SETTING), allowed)
        snapshot = cls(path, settings, sources, shards, counts, relocation, trust, concepts)
        is_same_model = before and before.settings["fingerprint"] == settings["fingerprint"]
        if before and is_same_model and abs(len(snapshot) - len(before)) <= _MAX_CHANGE * len(before):
            snapshot._relevance.sampled = before._relevance.sampled
        return snapshot

    @property
    def path(self) -> Path:
        """The directory of the library."""
        return self._path

    @property
    def shards(self) -> Shards:
        """The open shards."""
        return self._shards

    @property
    def ranker(self) -> Ranker:
        """What orders the pictures."""
        return self._ranker

    @property
    def version(self) -> str:
        """Changes with every commit that changes an answer."""
        return self.settings["version"]

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._shards)

    def warm(self) -> None:
        """Read the files of all shards into memory, if they take at most half of it."""
        if self._size_bytes <= memory_bytes() // 2:
            for part in self._shards.parts:
                part.shard.warm()

    def search(self, request: SearchRequest, encoder: LazyEncoder) -> Hits:
        """Answer a request; see `Library.search`.

        Parameters
        ----------
        request
            What to search for.
        encoder
            What embeds the terms; loaded only if a term needs it.
        """
        start = time.perf_counter()
        self._shards.check_length()
        resolved = ResolvedRequest.of(request, self.kinds, concepts=self.concepts.keys)
        self.concepts.prepare(resolved.concepts, encoder)
        if not resolved.terms:
            return self._answer(resolved, self._ranker.listed(resolved), start)
        vector = QueryVector(resolved.terms, encoder, self, self.concepts.embed)
        named = {self._row_of(term.subject) for term in resolved.terms if isinstance(term.subject, int)}
        bars = self._relevance.cosine_bars(encoder) if request.dedup else CosineBars()
        ranking = self._ranker.ranked(resolved, vector, named, bars)
        are_taught = self.concepts.are_named(resolved.terms)
        notices = () if are_taught else language_notices(resolved, ranking.entries, encoder)
        relevant = relevant_in(self._relevance, self.concepts, resolved, ranking, vector, encoder, notices)
        return self._answer(resolved, ranking, start, vector, relevant, notices)

    def browse(self, request: SearchRequest, encoder: LazyEncoder) -> Hits:
        """List the pictures that match the filter of a request without a query."""
        start = time.perf_counter()
        self._shards.check_length()
        resolved = self._resolved(request, encoder)
        return self._answer(resolved, self._ranker.listed(resolved), start)

    def _answer(
        self,
        resolved: ResolvedRequest,
        ranking: Ranking,
        start: float,
        vector: QueryVector | None = None,
        relevant_count: int | None = None,
        notices: Sequence[Notice] = (),
    ) -> Hits:
        """Return the page of a ranking with the times since `start`."""
        ranked = time.perf_counter()
        embed_s = vector.embed_s if vector else 0.0
        hits = self._hits(ranking.page(resolved.request), resolved.request.include)
        end = time.perf_counter()
        embed_s, tokenize_s = (vector.embed_s, vector.tokenize_s) if vector else (0.0, 0.0)
        return Hits(
            hits,
            total=ranking.total,
            took=Timings(
                embed_ms=1000 * embed_s,
                search_ms=1000 * (ranked - start - embed_s),
                fetch_ms=1000 * (end - ranked),
                total_ms=1000 * (end - start),
                tokenize_ms=1000 * tokenize_s,
            ),
            version=self.version,
            library_count=len(self),
            **self._model,
            filters=resolved.filters,
            relevant_count=relevant_count,
            unfinished=resolved.unfinished,
            notices=notices,
            text_model=vector.text_model if vector else None,
        )

    @property
    def _model(self) -> dict[str, Any]:
        return {"model": self.settings["model"], "dim": int(self.settings["dim"])}

    def duplicates(self, where: Where | None, encoder: LazyEncoder) -> DuplicateReview:
        """Compare the pictures that match a filter; see `Library.duplicates`."""
        self._shards.check_length()
        resolved = self._resolved(SearchRequest(where=where), encoder)
        selection = self._ranker.selection_of(resolved.tree)
        return review_library(self._shards, selection, self._relevance.cosine_bars(encoder))

    def _resolved(self, request: SearchRequest, encoder: LazyEncoder) -> ResolvedRequest:
        """Resolve a request without words."""
        resolved = ResolvedRequest.of(request, self.kinds, concepts=self.concepts.keys, may_be_empty=True)
        self.concepts.prepare(resolved.concepts, encoder)
        return resolved

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """The type of each column that filters can use, as the first shard with it has it."""
        kinds: dict[str, Kind] = {}
        for part in self._shards.parts:
            kinds = {**part.shard.columns.kinds, **kinds}
        return kinds

    def _hits(self, entries: Sequence[Entry], include: Sequence[str] = INCLUDED) -> list[Hit]:
        """Return entries with their records; optional fields that are not included are empty."""
        may_load = self.trust.permits_urls
        return read_hits(self._shards, entries, self._relocation, may_load=may_load, include=include)

    @cached_property
    def ids_without_preview(self) -> NDArray[np.int64]:
        """(n,) int64: the ids of the pictures without a preview."""
        self._shards.check_length()
        return ids_without_preview(self._shards.parts)

    @cached_property
    def overview(self) -> Overview:
        """What a page shows of all these pictures."""
        return Overview(self._shards, self.kinds, self._ranker.selection_of)

    def __contains__(self, item: object) -> bool:
        """Return whether a picture has that id."""
        self._shards.check_length()
        return is_id(item) and self._shards.find(operator.index(item)) is not None

    def __iter__(self) -> Iterator[Hit]:
        """Yield all pictures in the order of `browse`, without scores; reads some thousands at a time."""
        for refs in self._shards.ref_blocks():
            self._shards.check_length()
            yield from self._hits([Entry(ref) for ref in refs])

    def __getitem__(self, item: int) -> Hit:
        """Return the picture with that id, without a score. Raises ItemNotFoundError or InputError."""
        return self._hits([Entry(self._row_of(checked_id(item)))])[0]

    def get_many(self, items: Sequence[int]) -> Hits:
        """Return the pictures with these ids in their order, without scores; unknown ids are skipped."""
        self._shards.check_length()
        rows = [row for item in items if (row := self._shards.find(item)) is not None]
        hits = self._hits([Entry(row) for row in rows])
        return Hits(hits, total=len(hits), version=self.version, library_count=len(self), **self._model)

    def vector(self, item: int) -> NDArray[np.float32]:
        """Return (dim,) float32, unit length, of the picture with that id. Raises ItemNotFoundError."""
        stored = self._shards.vector(self._row_of(item))
        return np.asarray(stored / np.linalg.norm(stored), np.float32)

    def vectors_of(self, items: Sequence[int]) -> NDArray[np.float32]:
        """Return (n, dim) float32 unit rows of the pictures with these ids. Raises ItemNotFoundError."""
        rows = [self.vector(item) for item in items]
        return np.stack(rows) if rows else np.zeros((0, int(self.settings["dim"])), np.float32)

    def sample_vectors(self, max_rows: int = MAX_SAMPLE_ROWS, *, seed: int = 0) -> NDArray[np.float32]:
        """Return (n, dim) float32 stored vectors of up to `max_rows` random pictures, for training."""
        numbers = np.random.default_rng(seed).permutation(len(self._shards))[:max_rows]
        return self._shards.vectors(np.sort(numbers))

    def blocks(self) -> Iterator[RecordBlock]:
        """Yield all pictures in the order of `browse`, some thousands at a time."""
        for block in self._shards.blocks():
            self._shards.check_length()
            is_moved = not block.is_imported and self._relocation.recorded is not None
            yield replace(block, records=self._relocation.records(block.records)) if is_moved else block

    def schemas(self) -> list[pa.Schema]:
        """Return the Arrow schema of each shard's records."""
        return [part.shard.records.schema for part in self._shards.parts]

    def _row_of(self, item: int) -> RowRef:
        self._shards.check_length()
        row = self._shards.find(item)
        if row is None:
            raise ItemNotFoundError(expected="the id of a picture of this library", got=str(item))
        return row

    def archive_uri(self, item: int) -> str | None:
        """Return the URI of an original inside an archive or a table; None for any other original.

        Also for an imported one, whose URI comes from an untrusted table, unless its folder is allowed.
        Raises ItemNotFoundError for an unknown id, and for an archive that the library may not show.
        """
        row = self._row_of(item)
        uri = self._hits([Entry(row)])[0].uri
        if not is_member(uri):
            return None
        if self._shards.is_imported(row) and not self.trust.allows_imported(file_of(uri)):
            return None
        if not self.trust.permits(file_of(uri)):
            raise not_confirmed(item)
        return uri

    def original_path(self, item: int) -> Path:
        """Return the path that the original of a picture had when it was indexed.

        Raises
        ------
        ItemNotFoundError
            No picture has that id, its original is no file of this machine, or the library may not show it.
        """
        path = self.recorded_path(item)
        if not self.trust.permits_file(path):
            raise not_confirmed(item)
        return path

    def recorded_path(self, item: int) -> Path:
        """Return the path in the record of a picture, to print it. Nothing says that it may be read.

        Raises ItemNotFoundError as `original_path` does.
        """
        row = self._row_of(item)
        uri = self._hits([Entry(row)])[0].uri
        is_imported, is_file = self._shards.is_imported(row), uri.startswith("file://")
        if is_file and not is_imported:
            return path_in(uri, item)
        if is_file and self.trust.allows_imported(path := path_in(uri, item)):
            return path
        where = f"at {uri}" if uri else "not known"
        reason = "was imported" if is_imported else "is no file of its own"
        hint = "pass --allow-root with a folder above it, if you trust its table" if is_file else None
        raise ItemNotFoundError(f"picture {item} {reason}: its original is {where}", hint=hint)

    def unconfirmed(self) -> tuple[Path, ...]:
        """Return the sources that the library names, but whose pictures it may not show or read again."""
        return tuple(dict.fromkeys(one.path for one in self._sources if not self.trust.permits_source(one)))

    def info(self, provider: str) -> LibraryInfo:
        """Return what the library is in this state."""
        settings, kinds = self.settings, {source.kind for source in self._sources}
        return LibraryInfo(
            path=self._path,
            name=settings["name"],
            count=len(self),
            failed=self._counts.failed,
            skipped=dict(self._counts.skipped),
            dim=int(settings["dim"]),
            model=settings["model"],
            fingerprint=settings["fingerprint"],
            provider=provider,
            kernel=self._shards.kernel,
            version=settings["version"],
            created=settings["created"],
            size_bytes=self._size_bytes,
            folders=folders_of(self._sources),
            has_remote=self.trust.permits_urls and not {IMPORT, URLS}.isdisjoint(kinds),
        )
