"""One state of a library: what a single commit made, for as long as somebody asks it."""

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote_to_bytes, urlsplit

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import FormatError, InputError, ItemNotFoundError, LibraryNotFoundError
from snapseek.library.ask import query_vector
from snapseek.library.catalogue import FILE_NAME, Catalogue
from snapseek.library.hits import Hit, Hits, Took
from snapseek.library.info import LibraryInfo
from snapseek.library.shards import Block, Place, Shards
from snapseek.library.terms import Query, terms_of
from snapseek.models import Encoder


class Snapshot:
    """The pictures of one commit. It never changes, and stays usable after later commits.

    A query takes one snapshot and asks nothing else, so that no answer mixes two states. Safe to use from
    many threads.
    """

    def __init__(
        self, path: Path, settings: dict[str, str], folders: Sequence[Path], failed: int, shards: Shards
    ) -> None:
        """Use `Snapshot.read`."""
        self.settings = settings
        self._path = path
        self._folders = tuple(folders)
        self._failed = failed
        self._shards = shards
        self._size_bytes = shards.size_bytes + (path / FILE_NAME).stat().st_size

    @classmethod
    def read(cls, path: Path, catalogue: Catalogue, before: Self | None = None) -> Self:
        """The state that is committed now in the library at `path`.

        Shards that `before` has open are shared with it. Raises FormatError for a damaged library.
        """
        seen = catalogue.changes()
        try:
            return cls._read(path, catalogue, before)
        except FormatError:
            if catalogue.changes() == seen:
                raise
        # A commit replaced a shard after its name was read, and its files are gone: look again.
        return cls.read(path, catalogue, before)

    @classmethod
    def _read(cls, path: Path, catalogue: Catalogue, before: Self | None) -> Self:
        with catalogue.reading():
            settings = catalogue.settings()
            folders = catalogue.folders()
            failed = catalogue.count_failed()
            rows = catalogue.shards()
            dead = catalogue.tombstones()
        if "fingerprint" not in settings:
            raise LibraryNotFoundError(
                f"expected a library at {path}, found one that nothing was put into yet; "
                f"go on with: snapseek index FOLDER --library {path}"
            )
        shards = Shards(path, rows, dead, before._shards if before else None)
        return cls(path, settings, folders, failed, shards)

    @property
    def version(self) -> str:
        """Changes with every commit that changes an answer."""
        return self.settings["version"]

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._shards)

    def search(
        self, query: Query, k: int, *, encoder: Callable[[], Encoder], offset: int = 0, exact: bool = False
    ) -> Hits:
        """The answer to `Library.search`; `encoder` gives the model when the query needs one."""
        start = time.perf_counter()
        terms = terms_of(query)
        vector = query_vector(terms, _Space(self, encoder))
        embedded = time.perf_counter()
        named = {self._place_of(term.subject) for term in terms if isinstance(term.subject, int)}
        found = self._best(vector, _checked_page(k, offset), named, exact=exact)[offset:]
        searched = time.perf_counter()
        hits = self._hits([place for place, _ in found], [score for _, score in found])
        fetched = time.perf_counter()
        took = Took(
            embed_ms=1000 * (embedded - start),
            search_ms=1000 * (searched - embedded),
            fetch_ms=1000 * (fetched - searched),
            total_ms=1000 * (fetched - start),
        )
        return Hits(
            hits, total=len(self) - len(named), took=took, version=self.version, library_count=len(self)
        )

    def _best(
        self, vector: NDArray[np.float32], count: int, without: Collection[Place], *, exact: bool
    ) -> list[tuple[Place, float]]:
        """The `count` best, but for some places: so many more are asked for, then left out."""
        places, scores = self._shards.search(vector[None], count + len(without), exact=exact)
        pairs = zip(places, scores, strict=True)
        return [(place, score) for place, score in pairs if place not in without][:count]

    def browse(self, k: int, *, offset: int = 0) -> Hits:
        """The answer to `Library.browse`."""
        start = time.perf_counter()
        end = min(_checked_page(k, offset), len(self))
        hits = self._hits(self._shards.page(min(offset, end), end))
        fetch_ms = 1000 * (time.perf_counter() - start)
        took = Took(fetch_ms=fetch_ms, total_ms=fetch_ms)
        return Hits(hits, total=len(self), took=took, version=self.version, library_count=len(self))

    def _hits(self, places: Sequence[Place], scores: Sequence[float | None] | None = None) -> list[Hit]:
        records = self._shards.records(places)
        return [
            Hit(
                id=record["id"],
                score=score,
                uri=record["uri"],
                width=record["width"],
                height=record["height"],
                color=record["color"],
                preview=record["preview"],
                caption=record["caption"],
                meta=meta,
            )
            for (record, meta), score in zip(records, scores or [None] * len(places), strict=True)
        ]

    def item(self, item: int) -> Hit:
        """The picture with that id, without a score. Raises ItemNotFoundError."""
        return self._hits([self._place_of(item)])[0]

    def vector(self, item: int) -> NDArray[np.float32]:
        """(dim,) float32, unit length, of the picture with that id. Raises ItemNotFoundError."""
        stored = self._shards.vector(self._place_of(item))
        return np.asarray(stored / np.linalg.norm(stored), np.float32)

    def vectors_of(self, items: Sequence[int]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows of the pictures with these ids. Raises ItemNotFoundError."""
        rows = [self.vector(item) for item in items]
        return np.stack(rows) if rows else np.zeros((0, int(self.settings["dim"])), np.float32)

    def some_vectors(self, most: int, *, seed: int = 0) -> NDArray[np.float32]:
        """(n, dim) float32 stored vectors of `most` pictures drawn by `seed`, or of all."""
        numbers = np.random.default_rng(seed).permutation(len(self._shards))[:most]
        return self._shards.vectors(np.sort(numbers))

    def blocks(self) -> Iterator[Block]:
        """All pictures in the order of `browse`, some thousands at a time."""
        return self._shards.blocks()

    def schemas(self) -> list[pa.Schema]:
        """The columns of the records of each shard."""
        return [part.shard.records.schema for part in self._shards.parts]

    def _place_of(self, item: int) -> Place:
        place = self._shards.place_of(item)
        if place is None:
            raise ItemNotFoundError(f"expected the id of a picture of this library, found {item}")
        return place

    def original(self, item: int) -> Path:
        """Where the original of that picture was when it was indexed. Raises ItemNotFoundError."""
        place = self._place_of(item)
        uri = self._hits([place])[0].uri
        if self._shards.is_imported(place):
            where = f"at {uri}" if uri else "not known"
            raise ItemNotFoundError(f"picture {item} was imported: its original is {where}")
        return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))

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
            folders=self._folders,
            has_remote=self._shards.has_imported,
        )


def _checked_page(k: int, offset: int) -> int:
    if k < 1 or offset < 0:
        raise InputError(f"expected k of at least 1 and offset of at least 0, found {k} and {offset}")
    return k + offset


@dataclass(frozen=True)
class _Space:
    """Where the vectors of a query come from: one state of the library, and one of its towers."""

    snapshot: Snapshot
    load: Callable[[], Encoder]

    @property
    def encoder(self) -> Encoder:
        return self.load()

    def vector(self, item: int) -> NDArray[np.float32]:
        return self.snapshot.vector(item)
