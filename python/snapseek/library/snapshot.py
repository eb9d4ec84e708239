"""One state of a library: what a single commit made, for as long as somebody asks it."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote_to_bytes, urlsplit

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import FormatError, ItemNotFoundError, LibraryNotFoundError, StorageError
from snapseek.library.filters.typecheck import Kind
from snapseek.library.info import LibraryInfo
from snapseek.library.results import Hit, Hits, Timings
from snapseek.library.search.query_vector import query_vector
from snapseek.library.search.rank import Entry, Ranker, Ranking
from snapseek.library.search.relevance import BANK_SIZE, relevant_count
from snapseek.library.search.request import ResolvedRequest, SearchRequest, Where
from snapseek.library.search.suggestions import Suggestions, suggestions
from snapseek.library.search.terms import Query
from snapseek.library.storage.database import Database
from snapseek.library.storage.disk_space import memory_bytes
from snapseek.library.storage.schema import FILE_NAME, IMPORT, URLS
from snapseek.library.storage.shards import RecordBlock, RowRef, Shards
from snapseek.library.storage.source_table import Source
from snapseek.models import Encoder
from snapseek.models.queries.sample_queries import sample_queries
from snapseek.sources.archive_uri import is_member

_GROWN = 0.2  # by so much of its size a library may change until its bank of queries is asked again


class Snapshot:
    """The pictures of one commit. It never changes, and stays usable after later commits.

    A query takes one snapshot and asks nothing else, so that no answer mixes two states. Safe to use from
    many threads.
    """

    def __init__(
        self, path: Path, settings: dict[str, str], sources: Sequence[Source], failed: int, shards: Shards
    ) -> None:
        """Use `Snapshot.read`."""
        self.settings = settings
        self._path = path
        self._sources = tuple(sources)
        self._failed = failed
        self._shards = shards
        self._ranker = Ranker(shards)
        self._least: dict[str, float | None] = {}  # deviations of a find that is not weak, by the model asked
        self._size_bytes = shards.size_bytes + (path / FILE_NAME).stat().st_size

    @classmethod
    def read(cls, path: Path, catalogue: Database, before: Self | None = None) -> Self:
        """The state that is committed now in the library at `path`.

        Shards that `before` has open are shared with it. Raises FormatError for a damaged library.
        """
        seen = catalogue.changes()
        try:
            return cls._read(path, catalogue, before)
        except (FormatError, StorageError, FileNotFoundError):
            if catalogue.changes() == seen:
                raise
        # A commit replaced a shard after its name was read, and its files are gone: look again.
        return cls.read(path, catalogue, before)

    @classmethod
    def _read(cls, path: Path, catalogue: Database, before: Self | None) -> Self:
        with catalogue.reading():
            settings = catalogue.settings.all()
            sources = catalogue.sources.all()
            failed = catalogue.count_failed()
            rows = catalogue.shards.all()
            dead = catalogue.shards.tombstones()
        if "fingerprint" not in settings:
            raise LibraryNotFoundError(
                f"expected a library at {path}, found one that nothing was put into yet; "
                f"go on with: snapseek index FOLDER --library {path}"
            )
        shards = Shards(path, rows, dead, before._shards if before else None)
        for part in shards.parts:
            if part.shard.index.dim != int(settings["dim"]):
                raise FormatError(
                    f"expected vectors of {settings['dim']} numbers in shard {part.shard.stem} of {path}, "
                    f"found {part.shard.index.dim}; run: snapseek repair"
                )
        snapshot = cls(path, settings, sources, failed, shards)
        if before and abs(len(snapshot) - len(before)) <= _GROWN * len(before):
            snapshot._least = before._least
        return snapshot

    @property
    def path(self) -> Path:
        """The directory of the library."""
        return self._path

    @property
    def version(self) -> str:
        """Changes with every commit that changes an answer."""
        return self.settings["version"]

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._shards)

    def warm(self) -> None:
        """Read the files of all shards into memory, if they leave room there for as much again."""
        if self._size_bytes <= memory_bytes() // 2:
            for part in self._shards.parts:
                part.shard.warm()

    def search(
        self, query: Query | None, k: int = 20, *, encoder: Callable[[], Encoder], **options: Any
    ) -> Hits:
        """The answer to `Library.search`; `encoder` gives the model when the query needs one.

        `options` are further fields of `SearchRequest`.
        """
        watch = _Watch()
        request = SearchRequest(query, k, **options)
        asked = request.read(self.kinds)
        if not asked.terms:
            return self._listed(asked, request.sort, request, watch)
        space = _Space(self, encoder)

        def vector() -> NDArray[np.float32]:
            with watch.embedding:
                return query_vector(asked.terms, space)

        named = {self._place_of(term.subject) for term in asked.terms if isinstance(term.subject, int)}
        once = cache(vector)
        ranking = self._ranker.ranked(asked, request, once, named)
        is_falling = request.mode == "clip" and request.sort == "relevance"
        weak_from = self._weak_from(ranking, once(), space.asked) if is_falling and space.asked else None
        return self._answer(ranking, asked, request, watch, weak_from)

    def _weak_from(self, ranking: Ranking, vector: NDArray[np.float32], encoder: Encoder) -> int | None:
        """Where weak matches begin among the entries of a ranking by score."""
        if encoder.fingerprint not in self._least:
            bank = sample_queries(encoder, BANK_SIZE)
            self._least[encoder.fingerprint] = self._ranker.least_deviations(bank)
        least = self._least[encoder.fingerprint]
        moments = None if least is None else self._ranker.background.moments(vector)
        if least is None or moments is None:
            return None
        return relevant_count([entry.score for entry in ranking.entries], moments[0] + least * moments[1])

    def browse(self, k: int, *, offset: int = 0, where: Where | None = None, sort: str | None = None) -> Hits:
        """The answer to `Library.browse`."""
        watch = _Watch()
        request = SearchRequest(k=k, offset=offset, where=where, sort=sort or "relevance")
        asked = request.read_filters(self.kinds)
        return self._listed(asked, sort, request, watch)

    def _listed(
        self, asked: ResolvedRequest, sort: str | None, request: SearchRequest, watch: "_Watch"
    ) -> Hits:
        return self._answer(self._ranker.listed(asked, sort, request.end), asked, request, watch)

    def _answer(
        self,
        ranking: Ranking,
        asked: ResolvedRequest,
        request: SearchRequest,
        watch: "_Watch",
        weak_from: int | None = None,
    ) -> Hits:
        shown = ranking.entries[request.offset :]
        watch.searched()
        hits = self._hits(shown)
        return Hits(
            hits,
            total=ranking.total,
            took=watch.took(),
            version=self.version,
            library_count=len(self),
            filters=asked.filters,
            relevant_count=weak_from,
        )

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """The columns that can be asked for, and what can be asked of each; as the first shard has them."""
        kinds: dict[str, Kind] = {}
        for part in self._shards.parts:
            kinds = {**part.shard.columns.kinds, **kinds}
        return kinds

    def _hits(self, entries: Sequence[Entry]) -> list[Hit]:
        records = self._shards.records([entry.place for entry in entries])
        hits = []
        for (core, meta), entry in zip(records, entries, strict=True):
            id_, uri, width, height, color, preview, caption = core
            similar = tuple(self._id_at(place) for place in entry.similar)
            hits.append(Hit(id_, entry.score, uri, width, height, color, preview, caption, meta, similar))
        return hits

    @cached_property
    def suggestions(self) -> Suggestions:
        """What can be asked of these pictures."""
        return suggestions(self._shards.parts, self.kinds)

    def _id_at(self, place: RowRef) -> int:
        return int(self._shards.parts[place.shard].shard.ids[place.row])

    def item(self, item: int) -> Hit:
        """The picture with that id, without a score. Raises ItemNotFoundError."""
        return self._hits([Entry(self._place_of(item))])[0]

    def get_many(self, items: Sequence[int]) -> Hits:
        """The pictures with these ids, in their order, without scores, but for those that are gone."""
        places = [place for item in items if (place := self._shards.find(item)) is not None]
        hits = self._hits([Entry(place) for place in places])
        return Hits(hits, total=len(hits), version=self.version, library_count=len(self))

    def vector(self, item: int) -> NDArray[np.float32]:
        """(dim,) float32, unit length, of the picture with that id. Raises ItemNotFoundError."""
        stored = self._shards.vector(self._place_of(item))
        return np.asarray(stored / np.linalg.norm(stored), np.float32)

    def vectors_of(self, items: Sequence[int]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows of the pictures with these ids. Raises ItemNotFoundError."""
        rows = [self.vector(item) for item in items]
        return np.stack(rows) if rows else np.zeros((0, int(self.settings["dim"])), np.float32)

    def sample_vectors(self, max_rows: int, *, seed: int = 0) -> NDArray[np.float32]:
        """(n, dim) float32 stored vectors of `most` pictures drawn by `seed`, or of all."""
        numbers = np.random.default_rng(seed).permutation(len(self._shards))[:max_rows]
        return self._shards.vectors(np.sort(numbers))

    def blocks(self) -> Iterator[RecordBlock]:
        """All pictures in the order of `browse`, some thousands at a time."""
        return self._shards.blocks()

    def schemas(self) -> list[pa.Schema]:
        """The columns of the records of each shard."""
        return [part.shard.records.schema for part in self._shards.parts]

    def _place_of(self, item: int) -> RowRef:
        place = self._shards.find(item)
        if place is None:
            raise ItemNotFoundError(f"expected the id of a picture of this library, found {item}")
        return place

    def archive_uri(self, item: int) -> str | None:
        """The address of an original that is part of an archive or a table; None for any other.

        Of an imported picture it is what a stranger's table says, and not followed. Raises ItemNotFoundError.
        """
        place = self._place_of(item)
        uri = self._hits([Entry(place)])[0].uri
        return uri if is_member(uri) and not self._shards.is_imported(place) else None

    def original_path(self, item: int) -> Path:
        """Where the original of that picture was when it was indexed. Raises ItemNotFoundError."""
        place = self._place_of(item)
        uri = self._hits([Entry(place)])[0].uri
        if self._shards.is_imported(place) or not uri.startswith("file://"):
            where = f"at {uri}" if uri else "not known"
            how = "was imported" if self._shards.is_imported(place) else "is no file of its own"
            raise ItemNotFoundError(f"picture {item} {how}: its original is {where}")
        return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))

    def _folders(self) -> tuple[Path, ...]:
        """The places that were indexed, then those that were imported."""
        in_order = sorted(self._sources, key=lambda source: (source.kind == IMPORT, os.fsencode(source.path)))
        return tuple(dict.fromkeys(source.path for source in in_order))

    def info(self, provider: str) -> LibraryInfo:
        """What the library is in this state."""
        settings = self.settings
        return LibraryInfo(
            path=self._path,
            name=settings["name"],
            count=len(self),
            failed=self._failed,
            dim=int(settings["dim"]),
            model=settings["model"],
            fingerprint=settings["fingerprint"],
            provider=provider,
            kernel=self._shards.kernel,
            version=settings["version"],
            created=settings["created"],
            size_bytes=self._size_bytes,
            folders=self._folders(),
            has_remote=any(source.kind in (IMPORT, URLS) for source in self._sources),
        )


class _Watch:
    """Where the time of an answer goes."""

    def __init__(self) -> None:
        self._start = self._searched = time.perf_counter()
        self._embed_s = 0.0

    @property
    @contextmanager
    def embedding(self) -> Iterator[None]:
        """Around what makes a vector of the query."""
        start = time.perf_counter()
        yield
        self._embed_s += time.perf_counter() - start

    def searched(self) -> None:
        """The ranking is there; records come next."""
        self._searched = time.perf_counter()

    def took(self) -> Timings:
        """All of it, now."""
        end = time.perf_counter()
        return Timings(
            embed_ms=1000 * self._embed_s,
            search_ms=1000 * (self._searched - self._start - self._embed_s),
            fetch_ms=1000 * (end - self._searched),
            total_ms=1000 * (end - self._start),
        )


@dataclass
class _Space:
    """Where the vectors of a query come from: one state of the library, and one of its towers."""

    snapshot: Snapshot
    load: Callable[[], Encoder]
    asked: Encoder | None = None
    """The model, once it was needed."""

    @property
    def encoder(self) -> Encoder:
        if self.asked is None:
            self.asked = self.load()
        return self.asked

    def vector(self, item: int) -> NDArray[np.float32]:
        return self.snapshot.vector(item)
