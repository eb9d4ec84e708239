"""A library, open: the object that everything on the left of it was made for."""

import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote_to_bytes, urlsplit

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import FormatError, InputError, ItemNotFoundError, ModelMismatchError
from snapseek.library.ask import query_vector
from snapseek.library.build import Progress, build
from snapseek.library.catalogue import FILE_NAME, Catalogue
from snapseek.library.hits import Hit, Hits, Took
from snapseek.library.intake import take_in
from snapseek.library.shard import Advance, Queries
from snapseek.library.shards import Place, Shards
from snapseek.library.terms import Query, terms_of
from snapseek.models import Encoder
from snapseek.models.layout import STUDENT

FAST_MODEL = "student"  # the folder in a library where its student is looked for
TOWERS = ("full", "fast")
_MOST_VECTORS = 100_000


@dataclass(frozen=True)
class Failure:
    """A file that is not in the library, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class LibraryInfo:
    """What a library is. `version` changes whenever its content does; `created` is ISO 8601 in UTC."""

    path: Path
    name: str
    count: int
    failed: int
    dim: int
    model: str
    fingerprint: str
    provider: str
    kernel: str
    version: str
    created: str
    size_bytes: int
    folders: tuple[Path, ...]
    has_remote: bool = False
    """Whether originals of some pictures are elsewhere, at an address of their own."""


class Library:
    """Pictures that can be searched by words. Make one with `build`, come back to it with `open`.

    Safe to use from many threads. It shows the state of the library at the moment it was opened.
    """

    def __init__(self, path: Path, encoder: Encoder | None = None) -> None:
        """Use `Library.open`."""
        self._path = path
        self._lock = threading.Lock()
        with Catalogue.open(path) as catalogue:
            self._settings = catalogue.settings()
            self._folders = tuple(catalogue.folders())
            self._failed = catalogue.count_failed()
            shards = catalogue.shards()
        if not shards:
            raise FormatError(f"expected a shard in {path}, found none; index the folder anew")
        self._shards = Shards(path, shards)
        self._size_bytes = self._shards.size_bytes + (path / FILE_NAME).stat().st_size
        self._encoder = encoder
        self._fast_encoder: Encoder | None = None
        if encoder is not None:
            self._check_model(encoder)

    @classmethod
    def build(
        cls,
        folders: str | Path | Sequence[str | Path],
        path: str | Path,
        *,
        encoder: Encoder | None = None,
        threads: int | None = None,
        queries: Queries | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Self:
        """Index a folder of pictures, or several, into the library at `path`, and open it.

        A library that already holds just these files is opened as it is. `threads` defaults to the cores that
        this process may use. `queries`, (q, dim) float32 unit rows, are samples of what will be asked: from
        50,000 pictures on the search is trained for them. One broken picture stops nothing: see `failures`.
        Raises InputError for a folder that is missing or has no picture, StorageError when the disk refuses,
        LibraryBusyError while another process writes.
        """
        chosen = [folders] if isinstance(folders, str | Path) else list(folders)
        encoder = encoder or Encoder.load()
        build(
            [Path(folder) for folder in chosen],
            Path(path),
            encoder,
            threads=threads or available_cores(),
            queries=queries,
            progress=progress,
        )
        return cls.open(path, encoder=encoder)

    @classmethod
    def import_vectors(
        cls,
        folder: str | Path,
        path: str | Path,
        *,
        encoder: Encoder,
        queries: Queries | None = None,
        memory: str | int | None = None,
        threads: int | None = None,
        progress: Advance | None = None,
    ) -> Self:
        """Take the vectors in `folder` that `encoder` made elsewhere into the library at `path`, and open it.

        `folder` is laid out as clip-retrieval and LAION do it: see `snapseek.sources.find_embeddings`. What
        was imported from it before is replaced, all else in the library stays; if it has not changed, nothing
        is done. `queries` as for `build`; `memory`, bytes or "800MB", bounds the file of vectors;
        `progress` is called with a stage's name and the share of it that is done.

        Raises InputError for files that do not fit each other or the model, ModelMismatchError when the
        library is of another model, StorageError when the disk refuses or has not room enough,
        LibraryBusyError while another process writes.
        """
        take_in(
            Path(folder),
            Path(path),
            encoder,
            queries=queries,
            memory=memory,
            threads=threads or available_cores(),
            progress=progress,
        )
        return cls.open(path, encoder=encoder)

    @classmethod
    def open(cls, path: str | Path, *, encoder: Encoder | None = None) -> Self:
        """Open the library at `path`. Its model is loaded when the first words are asked.

        Raises LibraryNotFoundError, FormatError for a damaged one, ModelMismatchError when `encoder` is not
        the model that made it.
        """
        return cls(Path(path), encoder)

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._shards)

    @property
    def encoder(self) -> Encoder:
        """The model of this library. Raises ModelMismatchError when it is no longer what it was."""
        with self._lock:
            if self._encoder is None:
                encoder = Encoder.load(self._settings["model"])
                self._check_model(encoder)
                self._encoder = encoder
            return self._encoder

    def use_fast_model(self, model: str | Path) -> None:
        """Take a student of this library's model for `tower="fast"`. Raises ModelMismatchError for others."""
        encoder = Encoder.load(model)
        self._check_model(encoder)
        self._fast_encoder = encoder

    @property
    def fast_encoder(self) -> Encoder | None:
        """The student that answers `tower="fast"`: the one that was named, or that in the library."""
        with self._lock:
            beside = self._path / FAST_MODEL
            if self._fast_encoder is None and (beside / STUDENT).is_file():
                encoder = Encoder.load(beside)
                self._check_model(encoder)
                self._fast_encoder = encoder
            return self._fast_encoder

    def encoder_of(self, tower: str) -> Encoder:
        """The model that answers for a tower, `full` or `fast`. Raises InputError for another."""
        if tower not in TOWERS:
            raise InputError(f"expected the tower full or fast, found {tower!r}")
        return (self.fast_encoder if tower == "fast" else None) or self.encoder

    def vectors(self, most: int = _MOST_VECTORS, *, seed: int = 0) -> NDArray[np.float32]:
        """(n, dim) float32 stored vectors of `most` pictures drawn by `seed`, or of all; for training.

        Raises InputError where they lie in inverted lists, which give scores and no vectors.
        """
        numbers = np.random.default_rng(seed).permutation(len(self._shards))[:most]
        return self._shards.vectors(np.sort(numbers))

    def _check_model(self, encoder: Encoder) -> None:
        needed = self._settings["fingerprint"]
        if encoder.space != needed:
            raise ModelMismatchError(
                f"the library {self._path} was made by '{self._settings['model']}' ({needed[:12]}); "
                f"asked with '{encoder.name}' ({encoder.space[:12]}): "
                "use that model, or index the folder anew"
            )

    def search(
        self, query: Query, k: int = 20, *, offset: int = 0, exact: bool = False, tower: str = "full"
    ) -> Hits:
        """The `k` pictures that fit the query best, after the first `offset`; ties by lower id.

        A text is read as the query language of `snapseek.library.terms`: `horse + stripes - 2:snow`. A
        query may also be a path or a PIL picture to find the like of, an id, a `Term`, or a list of such;
        there a text stands for its words as they are. Pictures that the query names by id are left out of
        the answer.

        `exact` scores every picture; without it a large library looks only where the best should be.
        `tower="fast"` lets a student answer, where the library has one: for every keystroke, while `full` is
        for the pause.

        Raises InputError for a query that is empty, malformed, or made of words that the model does not know,
        for a picture that cannot be read, for terms that cancel each other out, for an id in a library whose
        vectors lie in inverted lists, and for a `k` below 1 or an `offset` below 0; ItemNotFoundError for an
        id of no picture.
        """
        start = time.perf_counter()
        terms = terms_of(query)
        vector = query_vector(terms, _Space(self, tower))
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
        return Hits(hits, total=len(self) - len(named), took=took)

    def _best(
        self, vector: NDArray[np.float32], count: int, without: Collection[Place], *, exact: bool
    ) -> list[tuple[Place, float]]:
        """The `count` best, but for some places: so many more are asked for, then left out."""
        places, scores = self._shards.search(vector[None], count + len(without), exact=exact)
        pairs = zip(places, scores, strict=True)
        return [(place, score) for place, score in pairs if place not in without][:count]

    def vector(self, item: int) -> NDArray[np.float32]:
        """(dim,) float32, unit length, of the picture with that id.

        Raises ItemNotFoundError, and InputError where it lies in inverted lists: those give scores only.
        """
        stored = self._shards.vector(self._place_of(item))
        return np.asarray(stored / np.linalg.norm(stored), np.float32)

    def browse(self, k: int = 20, *, offset: int = 0) -> Hits:
        """`k` pictures as they came, after the first `offset`. Raises InputError as `search` does."""
        start = time.perf_counter()
        end = min(_checked_page(k, offset), len(self))
        hits = self._hits(self._shards.page(min(offset, end), end))
        fetch_ms = 1000 * (time.perf_counter() - start)
        return Hits(hits, total=len(self), took=Took(fetch_ms=fetch_ms, total_ms=fetch_ms))

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

    def _place_of(self, item: int) -> Place:
        place = self._shards.place_of(item)
        if place is None:
            raise ItemNotFoundError(f"expected the id of a picture of this library, found {item}")
        return place

    def original(self, item: int) -> Path:
        """Where the original of that picture was when it was indexed.

        Raises ItemNotFoundError, also for a picture that was imported: its original is at its `uri`, if that
        was told, and whoever wrote that is not to choose files of this machine.
        """
        place = self._place_of(item)
        uri = self._hits([place])[0].uri
        if self._shards.is_imported(place):
            where = f"at {uri}" if uri else "not known"
            raise ItemNotFoundError(f"picture {item} was imported: its original is {where}")
        return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))

    def info(self) -> LibraryInfo:
        """What this library is."""
        settings = self._settings
        return LibraryInfo(
            path=self._path,
            name=settings["name"],
            count=len(self),
            failed=self._failed,
            dim=int(settings["dim"]),
            model=settings["model"],
            fingerprint=settings["fingerprint"],
            provider=self._encoder.provider if self._encoder else "not loaded",
            kernel=self._shards.kernel,
            version=settings["version"],
            created=settings["created"],
            size_bytes=self._size_bytes,
            folders=self._folders,
            has_remote=self._shards.has_imported,
        )

    def failures(self) -> list[Failure]:
        """Every file that was not taken in, or not in whole, with the reason, in order of path."""
        with Catalogue.open(self._path) as catalogue:
            found = [Failure(row.folder / row.within, row.reason) for row in catalogue.files() if row.reason]
            found += [
                Failure(row.source / row.within, row.reason) for row in catalogue.imports() if row.reason
            ]
            return found


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _checked_page(k: int, offset: int) -> int:
    if k < 1 or offset < 0:
        raise InputError(f"expected k of at least 1 and offset of at least 0, found {k} and {offset}")
    return k + offset


@dataclass(frozen=True)
class _Space:
    """Where the vectors of a query come from: the library, and one of its towers."""

    library: Library
    tower: str

    @property
    def encoder(self) -> Encoder:
        return self.library.encoder_of(self.tower)

    def vector(self, item: int) -> NDArray[np.float32]:
        return self.library.vector(item)
