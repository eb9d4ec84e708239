"""A library, open: the object that everything on the left of it was made for."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from snapseek.absolute_path import absolute_path
from snapseek.errors import InputError, StorageError
from snapseek.library.encoders import EncoderPool
from snapseek.library.export import export
from snapseek.library.filters.parser import ParsedQuery, parse_query
from snapseek.library.indexing.compact import CompactOptions, CompactReport, compact, compact_all
from snapseek.library.indexing.import_vectors import import_vectors
from snapseek.library.indexing.previews import PreviewOptions, PreviewReport, make_previews
from snapseek.library.indexing.remove import remove
from snapseek.library.indexing.repair import RepairReport, repair
from snapseek.library.indexing.sync import IndexOptions, Progress, SyncReport, add_files, sync, total
from snapseek.library.indexing.verify import Problem, verify
from snapseek.library.info import Failure, LibraryInfo
from snapseek.library.results import Hit, Hits
from snapseek.library.search.request import Where
from snapseek.library.search.suggestions import Suggestions
from snapseek.library.search.terms import Query
from snapseek.library.snapshot import Snapshot
from snapseek.library.snapshot_cache import SnapshotCache
from snapseek.library.storage.database import Database
from snapseek.library.storage.shard import ProgressCallback, Queries
from snapseek.library.storage.shard_files import exclusive_writer
from snapseek.models import Encoder
from snapseek.sources import FetchLimits
from snapseek.sources.folder import is_picture_name
from snapseek.threads import resolve_threads
from snapseek.vectors.arguments import memory_limit

_MOST_VECTORS = 100_000


class Library:
    """Pictures that can be searched by words. Make one with `build`, come back to it with `open`.

    Safe to use from many threads. What others commit is seen within a fraction of a second: each query asks
    the newest `Snapshot`, and only that one.
    """

    def __init__(self, path: Path, encoder: Encoder | None = None) -> None:
        """Use `Library.open`."""
        path = absolute_path(path)
        self._path = path
        self._newest = SnapshotCache(path)
        self.report: SyncReport | None = None
        """What `build` did, where it made this object."""
        self._towers = EncoderPool(path, encoder)
        if encoder is not None:
            self._towers.check(encoder, self._now())

    @classmethod
    def build(
        cls,
        folders: str | Path | Sequence[str | Path],
        path: str | Path,
        *,
        encoder: Encoder | None = None,
        threads: int | None = None,
        queries: Queries | None = None,
        memory: str | int | None = None,
        retry_failed: bool = False,
        limits: FetchLimits | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Self:
        """Index a folder of pictures, or several, into the library at `path`, and open it.

        In place of a folder there can be an archive (.tar), a table with pictures (.parquet) or a list of
        urls (.txt .csv .tsv .jsonl .parquet): see `snapseek.sources.open_source`. `limits` say how these are
        fetched.

        Only what is new or changed since is embedded, what is gone is removed; `report` tells how many. What
        was stopped goes on where it was. Other folders of the library stay as they are. Pictures of another
        model are embedded anew, if all are of these folders.

        `threads` defaults to the cores that this process may use. `queries`, (q, dim) float32 unit rows, are
        samples of what will be asked: from 50,000 pictures on the search is trained for them; `memory`, bytes
        or "800MB", bounds their file then. One broken picture stops nothing: see `failures`; with
        `retry_failed` those that failed before are tried again.

        Raises InputError for a folder that is missing or has no picture, StorageError when the disk refuses
        or has not room enough, LibraryBusyError while another process writes, ModelMismatchError when
        pictures of other folders, or imported ones, are of another model.
        """
        encoder = encoder or Encoder.load()
        how = IndexOptions(
            encoder=lambda: encoder,
            threads=resolve_threads(threads),
            queries=queries,
            memory=memory_limit(memory),
            progress=progress,
            retry_failed=retry_failed,
            may_replace=True,
            limits=limits,
        )
        report = sync(Path(path), _paths(folders), how)
        library = cls._open_committed(path, encoder)
        library.report = report
        return library

    @classmethod
    def _open_committed(cls, path: str | Path, encoder: Encoder) -> Self:
        """Open what was just written; a disk that is full by now takes nothing of it away."""
        try:
            return cls.open(path, encoder=encoder)
        except StorageError as error:
            raise StorageError(
                f"everything is in the library, but it cannot be opened now: {error}; free some space, then "
                "open it"
            ) from error

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
        progress: ProgressCallback | None = None,
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
        import_vectors(
            Path(folder),
            Path(path),
            encoder,
            queries=queries,
            memory=memory_limit(memory),
            threads=resolve_threads(threads),
            progress=progress,
        )
        return cls._open_committed(path, encoder)

    @classmethod
    def open(cls, path: str | Path, *, encoder: Encoder | None = None) -> Self:
        """Open the library at `path`. Its model is loaded when the first words are asked.

        Raises LibraryNotFoundError, FormatError for a damaged one, ModelMismatchError when `encoder` is not
        the model that made it.
        """
        return cls(Path(path), encoder)

    def refresh(self) -> bool:
        """Take up what was committed since; whether there was anything.

        Queries do it by themselves, a few times a second at most. Queries under way end with the state that
        they began with. Raises FormatError when the new state is damaged; the old one is kept then.
        """
        return self._newest.refresh()

    def _refresh_committed(self) -> None:
        """Take up what this object has committed. If the disk refuses that, queries try again later."""
        with suppress(StorageError):
            self.refresh()

    def _now(self) -> Snapshot:
        return self._newest.now()

    def snapshot(self) -> Snapshot:
        """The newest state, which stays as it is: for several questions that belong together."""
        return self._now()

    def sync(
        self,
        folders: str | Path | Sequence[str | Path] | None = None,
        *,
        threads: int | None = None,
        queries: Queries | None = None,
        memory: str | int | None = None,
        retry_failed: bool = False,
        limits: FetchLimits | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> SyncReport:
        """Take up how these folders are now, or with None all that the library was made of.

        As `build`, for a library that is open. A folder of the library that is not there, or empty, is left
        as it was and told in the report; one that is named here raises InputError.
        """
        how = self._how(threads, queries, memory, progress, retry_failed=retry_failed, limits=limits)
        report = sync(self._path, None if folders is None else _paths(folders), how)
        self._refresh_committed()
        return report

    def add(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        threads: int | None = None,
        limits: FetchLimits | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> SyncReport:
        """Take in more sources, or single files: also those that were removed or failed before.

        Raises InputError for what is not there, otherwise as `sync` does.
        """
        how = self._how(threads, None, None, progress, limits=limits)
        files = [path for path in _paths(paths) if is_picture_name(path)]
        folders = [path for path in _paths(paths) if path not in files]
        reports = [sync(self._path, folders, how)] if folders else []
        reports += [add_files(self._path, files, how)] if files else []
        self._refresh_committed()
        return total(reports)

    def _how(
        self,
        threads: int | None,
        queries: Queries | None,
        memory: str | int | None,
        progress: Callable[[Progress], None] | None,
        *,
        retry_failed: bool = False,
        limits: FetchLimits | None = None,
    ) -> IndexOptions:
        return IndexOptions(
            encoder=lambda: self.encoder,
            threads=resolve_threads(threads),
            queries=queries,
            memory=memory_limit(memory),
            progress=progress,
            retry_failed=retry_failed,
            limits=limits,
        )

    def remove(self, what: int | str | Path | Sequence[int | str | Path]) -> int:
        """Take out pictures by id, by path, all below a folder, or all of a source; how many.

        Their files stay, and `sync` passes over them until they change; a folder of the library that is
        named as a whole is forgotten. All or nothing: raises ItemNotFoundError for an id of no picture,
        InputError for a path that the library does not know, LibraryBusyError while another process writes.
        """
        chosen = [what] if isinstance(what, int | str | Path) else list(what)
        removed = remove(self._path, chosen, CompactOptions(encoder=lambda: self.encoder))
        self._refresh_committed()
        return removed

    def previews(
        self,
        *,
        root: str | Path | None = None,
        limits: FetchLimits | None = None,
        threads: int | None = None,
        retry_failed: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> PreviewReport:
        """Make the previews that are missing, as of imported vectors, from the originals at their `uri`.

        Urls are fetched as `limits` say; files are read only within the folder `root`. What was stopped goes
        on where it was; what failed is tried again with `retry_failed`. Queries go on meanwhile. Raises
        StorageError when the disk refuses, LibraryBusyError while another process writes.
        """
        folder = None if root is None else Path(root)
        how = PreviewOptions(resolve_threads(threads), folder, limits, retry_failed, progress)
        report = make_previews(self._path, how)
        self._refresh_committed()
        return report

    def compact(
        self,
        *,
        queries: Queries | None = None,
        memory: str | int | None = None,
        threads: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> CompactReport:
        """Merge all shards of a source into one and drop what was removed; needs no picture.

        From 50,000 pictures on the search is trained anew, for `queries` as `build` has it. Queries go on
        meanwhile. Raises StorageError when the disk refuses or has not room enough, LibraryBusyError while
        another process writes.
        """
        limit = memory_limit(memory)
        how = CompactOptions(lambda: self.encoder, queries, limit, resolve_threads(threads), progress)
        with exclusive_writer(self._path) as catalogue:
            report = compact(catalogue, self._path, how, compact_all)
        self._refresh_committed()
        return report

    def verify(self) -> list[Problem]:
        """Everything that is wrong with this library on the disk; reads all of it."""
        return verify(self._path)

    def repair(self) -> RepairReport:
        """Take out what is broken and keep all else; `sync` makes the rest again."""
        report = repair(self._path)
        self._refresh_committed()
        return report

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._now())

    @property
    def version(self) -> str:
        """Changes with every commit that changes an answer."""
        return self._now().version

    @property
    def encoder(self) -> Encoder:
        """The model of this library. Raises ModelMismatchError when it is no longer what it was."""
        return self._towers.full(self._now())

    def set_fast_encoder(self, model: str | Path) -> None:
        """Take a student of this library's model for `tower="fast"`. Raises ModelMismatchError for others."""
        self._towers.set_fast(model, self._now())

    @property
    def fast_encoder(self) -> Encoder | None:
        """The student that answers `tower="fast"`: the one that was named, or that in the library."""
        return self._towers.fast(self._now())

    def encoder_of(self, tower: str) -> Encoder:
        """The model that answers for a tower, `full` or `fast`. Raises InputError for another."""
        return self._towers.of(tower, self._now())

    def sample_vectors(self, most: int = _MOST_VECTORS, *, seed: int = 0) -> NDArray[np.float32]:
        """(n, dim) float32 stored vectors of `most` pictures drawn by `seed`, or of all; for training."""
        return self._now().sample_vectors(most, seed=seed)

    def vectors_of(self, items: Sequence[int]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows of the pictures with these ids. Raises ItemNotFoundError."""
        return self._now().vectors_of(items)

    def search(
        self,
        query: Query | None = None,
        k: int = 20,
        *,
        offset: int = 0,
        exact: bool = False,
        tower: str = "full",
        where: Where | None = None,
        sort: str = "relevance",
        min_score: float | None = None,
        fold: bool = False,
        mode: str = "clip",
    ) -> Hits:
        """The `k` pictures that fit the query best, after the first `offset`; ties by lower id.

        A text is read as the query language of docs/SEARCH.md: `horse + stripes - 2:snow`, and may hold
        filters: `red car after:2023 -tag:draft`. A query may also be a path or a
        PIL picture to find the like of, an id, a `Term`, or a list of such; there a text stands for its words
        as they are. Pictures that the query names by id are left out of the answer. Without a query, or with
        nothing but filters in it, all that match are listed.

        `where` leaves only pictures that match: filters as text, or a mapping such as
        `{"year": {">=": 2020}, "folder": "holiday"}`. `exact` scores every picture; without it a large
        library looks only where the best should be. `tower="fast"` lets a student answer, where the library
        has one: for every keystroke, while `full` is for the pause.

        These make the answer of the 1,000 best: `sort` by newest, oldest or size (most pixels first) instead
        of relevance; `min_score`, the lowest score to show; `fold`, which puts nearly equal pictures under
        the best of them, as its `similar`; `mode` words or both, which finds words in captions, titles, file
        names and tags instead of, or beside, what the model sees. Without a query `sort` is of all.

        Raises InputError for a query that is empty, malformed, or made of words that the model does not know,
        for a picture that cannot be read, for terms that cancel each other out, for a filter that is
        malformed or does not fit the columns of the library, and for other arguments out of bounds;
        ItemNotFoundError for an id of no picture.
        """
        snapshot = self._now()
        return snapshot.search(
            query,
            k,
            encoder=lambda: self._towers.of(tower, snapshot),
            offset=offset,
            exact=exact,
            where=where,
            sort=sort,
            min_score=min_score,
            fold=fold,
            mode=mode,
        )

    def warm(self) -> None:
        """Read the library into memory, if it fits there twice, so that no search waits for the disk.

        Without it each search brings in what it looks at. Takes some tenths of a second a gigabyte that the
        system has in its cache; searches go on meanwhile.
        """
        self._now().warm()

    def parse_query(self, query: str) -> ParsedQuery:
        """A typed query taken apart into its words and its filters; `search` does the same.

        For those who look at the terms before they are searched for: give `search` the terms of `words`, and
        `tree` as `where`.
        """
        return parse_query(query, self._now().kinds)

    def suggestions(self) -> Suggestions:
        """Queries worth trying and filters worth offering, by what the pictures have.

        Where they have neither captions nor tags, the examples are those of the model.
        """
        found = self._now().suggestions
        return found if found.examples else replace(found, examples=list(self.encoder.examples))

    def vector(self, item: int) -> NDArray[np.float32]:
        """(dim,) float32, unit length, of the picture with that id. Raises ItemNotFoundError."""
        return self._now().vector(item)

    def browse(
        self, k: int = 20, *, offset: int = 0, where: Where | None = None, sort: str | None = None
    ) -> Hits:
        """`k` pictures as they came, or by `sort`, after the first `offset`; `where`, `sort` as in `search`.

        Raises InputError as `search` does.
        """
        return self._now().browse(k, offset=offset, where=where, sort=sort)

    def item(self, item: int) -> Hit:
        """The picture with that id, without a score. Raises ItemNotFoundError."""
        return self._now().item(item)

    def get_many(self, items: Sequence[int]) -> Hits:
        """The pictures with these ids, in their order, without scores, but for those that are gone."""
        return self._now().get_many(items)

    def archive_uri(self, item: int) -> str | None:
        """The address of an original inside an archive or a table, for
        `snapseek.sources.archive_uri.read_member`.

        None for any other picture. Raises ItemNotFoundError.
        """
        return self._now().archive_uri(item)

    def original_path(self, item: int) -> Path:
        """Where the original of that picture was when it was indexed.

        Raises ItemNotFoundError, also for a picture that was imported: its original is at its `uri`, if that
        was told, and whoever wrote that is not to choose files of this machine.
        """
        return self._now().original_path(item)

    def export(
        self, target: str | Path | BinaryIO, kind: str | None = None, *, keep_text: bool = False
    ) -> int:
        """Write all pictures as csv, json, jsonl or parquet, or their vectors as npy; how many there are.

        `target` is a file, whose name tells the `kind` if that is not given, or an open stream of bytes. See
        `snapseek.library.export` for the formats and for `keep_text`. Raises InputError for another format,
        StorageError when the disk refuses.
        """
        return export(self._now(), target, kind, keep_text=keep_text)

    def info(self) -> LibraryInfo:
        """What this library is."""
        return self._now().info(self._towers.provider)

    def failures(self) -> list[Failure]:
        """Every file that was not taken in, or not in whole, with the reason, in order of path."""
        with Database.open(self._path) as catalogue, catalogue.reading():
            found = [
                Failure(row.folder / row.within, row.reason)
                for row in catalogue.files.all()
                if row.reason and not row.is_removed
            ]
            found += [
                Failure(row.source / row.within, row.reason) for row in catalogue.imports.all() if row.reason
            ]
            return found


def _paths(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    named = [paths] if isinstance(paths, str | Path) else list(paths)
    if not named or "" in named:
        raise InputError(f"expected the path of a folder, found {'an empty text' if named else 'none'}")
    return [Path(path) for path in named]
