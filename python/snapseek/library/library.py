"""A library, open: the object that everything on the left of it was made for."""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
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
from snapseek.library.records import Record
from snapseek.library.shard import Shard
from snapseek.library.terms import Query, terms_of
from snapseek.models import Encoder


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
        if len(shards) != 1:
            raise FormatError(f"expected one shard in {path}, found {len(shards)}; index the folder anew")
        self._shard = Shard(path, shards[0][0])
        self._size_bytes = self._shard.size_bytes + (path / FILE_NAME).stat().st_size
        self._encoder = encoder
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
        progress: Callable[[Progress], None] | None = None,
    ) -> Self:
        """Index a folder of pictures, or several, into the library at `path`, and open it.

        A library that already holds just these files is opened as it is. `threads` defaults to the cores that
        this process may use. One broken picture stops nothing: see `failures`. Raises InputError for a folder
        that is missing or has no picture, StorageError when the disk refuses, LibraryBusyError while another
        process writes.
        """
        chosen = [folders] if isinstance(folders, str | Path) else list(folders)
        encoder = encoder or Encoder.load()
        build(
            [Path(folder) for folder in chosen],
            Path(path),
            encoder,
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
        return self._shard.vectors.rows

    @property
    def encoder(self) -> Encoder:
        """The model of this library. Raises ModelMismatchError when it is no longer what it was."""
        with self._lock:
            if self._encoder is None:
                encoder = Encoder.load(self._settings["model"])
                self._check_model(encoder)
                self._encoder = encoder
            return self._encoder

    def _check_model(self, encoder: Encoder) -> None:
        needed = self._settings["fingerprint"]
        if encoder.fingerprint != needed:
            raise ModelMismatchError(
                f"the library {self._path} was made by '{self._settings['model']}' ({needed[:12]}); "
                f"asked with '{encoder.name}' ({encoder.fingerprint[:12]}): "
                "use that model, or index the folder anew"
            )

    def search(self, query: Query, k: int = 20, *, offset: int = 0) -> Hits:
        """The `k` pictures that fit the query best, after the first `offset`; ties in stored order.

        A text is read as the query language of `snapseek.library.terms`: `horse + stripes - 2:snow`. A
        query may also be a path or a PIL picture to find the like of, an id, a `Term`, or a list of such;
        there a text stands for its words as they are. Pictures that the query names by id are left out of
        the answer.

        Raises InputError for a query that is empty, malformed, or made of words that the model does not know,
        for a picture that cannot be read, for terms that cancel each other out, and for a `k` below 1 or an
        `offset` below 0; ItemNotFoundError for an id of no picture.
        """
        start = time.perf_counter()
        terms = terms_of(query)
        vector = query_vector(terms, self)
        embedded = time.perf_counter()
        named = {self._row(term.subject) for term in terms if isinstance(term.subject, int)}
        found = self._best(vector, _checked_page(k, offset), named)[offset:]
        searched = time.perf_counter()
        hits = self._hits([row for row, _ in found], [score for _, score in found])
        fetched = time.perf_counter()
        took = Took(
            embed_ms=1000 * (embedded - start),
            search_ms=1000 * (searched - embedded),
            fetch_ms=1000 * (fetched - searched),
            total_ms=1000 * (fetched - start),
        )
        return Hits(hits, total=len(self) - len(named), took=took)

    def _best(
        self, vector: NDArray[np.float32], count: int, without: Collection[int]
    ) -> list[tuple[int, float]]:
        """The `count` best (row, score), but for some rows: so many more are asked for, then left out."""
        rows, scores = self._shard.vectors.search(vector, count + len(without))
        pairs = zip(rows[0].tolist(), scores[0].tolist(), strict=True)
        return [(row, score) for row, score in pairs if row not in without][:count]

    def vector(self, item: int) -> NDArray[np.float32]:
        """(dim,) float32, unit length, of the picture with that id. Raises ItemNotFoundError."""
        stored = self._shard.vectors.vector(self._row(item))
        return np.asarray(stored / np.linalg.norm(stored), np.float32)

    def browse(self, k: int = 20, *, offset: int = 0) -> Hits:
        """`k` pictures in stored order, after the first `offset`. Raises InputError as `search` does."""
        start = time.perf_counter()
        end = min(_checked_page(k, offset), len(self))
        hits = self._hits(range(min(offset, end), end))
        fetch_ms = 1000 * (time.perf_counter() - start)
        return Hits(hits, total=len(self), took=Took(fetch_ms=fetch_ms, total_ms=fetch_ms))

    def _hits(self, rows: Sequence[int], scores: Iterable[float | None] | None = None) -> list[Hit]:
        records = self._shard.records.get(rows)
        return [
            self._hit(record, score)
            for record, score in zip(records, scores or [None] * len(rows), strict=True)
        ]

    def _hit(self, record: Record, score: float | None) -> Hit:
        return Hit(
            id=record["id"],
            score=score,
            uri=record["uri"],
            width=record["width"],
            height=record["height"],
            color=record["color"],
            preview=record["preview"],
            caption=record["caption"],
            meta=self._shard.records.meta(record),
        )

    def item(self, item: int) -> Hit:
        """The picture with that id, without a score. Raises ItemNotFoundError."""
        return self._hits([self._row(item)])[0]

    def _row(self, item: int) -> int:
        row = self._shard.row_of(item)
        if row is None:
            raise ItemNotFoundError(f"expected the id of a picture of this library, found {item}")
        return row

    def original(self, item: int) -> Path:
        """Where the original of that picture was when it was indexed. Raises ItemNotFoundError."""
        return Path(os.fsdecode(unquote_to_bytes(urlsplit(self.item(item).uri).path)))

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
            kernel=self._shard.vectors.kernel,
            version=settings["version"],
            created=settings["created"],
            size_bytes=self._size_bytes,
            folders=self._folders,
        )

    def failures(self) -> list[Failure]:
        """Every file that could not be indexed, with the reason, in order of path."""
        with Catalogue.open(self._path) as catalogue:
            return [Failure(row.folder / row.within, row.reason) for row in catalogue.files() if row.reason]


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _checked_page(k: int, offset: int) -> int:
    if k < 1 or offset < 0:
        raise InputError(f"expected k of at least 1 and offset of at least 0, found {k} and {offset}")
    return k + offset
