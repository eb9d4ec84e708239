"""Folders taken up as they are now: new pictures are embedded, moved ones known again, gone ones removed."""

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from snapseek.absolute_path import absolute_path
from snapseek.errors import InputError, ModelMismatchError
from snapseek.library.indexing.batch_writer import BatchWriter
from snapseek.library.indexing.compact import CompactOptions, compact_flat_only, compact_if_space
from snapseek.library.indexing.embed import Outcome, embed_pictures
from snapseek.library.indexing.file_tracker import FileTracker, KnownFile, PendingImage
from snapseek.library.indexing.move_records import move_records
from snapseek.library.records.arrow_file import SCHEMA
from snapseek.library.storage.database import FILES, FOLDER, Database, Source
from snapseek.library.storage.disk_space import check_disk_space
from snapseek.library.storage.exclusive_writer import exclusive_writer
from snapseek.library.storage.library_meta import fresh_version
from snapseek.library.storage.shard import Queries
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.shards import Shards
from snapseek.models import Encoder
from snapseek.sources import FetchLimits, Picture, PictureSource, PlainFiles, open_source, reopen

_RECORD_BYTES = 1000  # a preview of at most 500, and what is told of a file
_MOST_NOTES = 100
_KINDS = ".jpg .png .webp .gif .tif .bmp .avif"


@dataclass(frozen=True)
class Progress:
    """How far an index is: `done` of `total` files looked at, `failed` of them without success.

    `skipped` files are in the library already, as they are, and not of the total.
    """

    done: int
    total: int
    failed: int
    skipped: int = 0


@dataclass(frozen=True)
class SyncReport:
    """How many pictures were taken in, taken in again, moved, removed, left as they were, or unreadable.

    `missing` are folders that were not there, or empty, and whose pictures were left as they were. `put_off`
    says why small shards were not merged, if they were not.
    """

    added: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: int = 0
    missing: tuple[Path, ...] = ()
    compaction_skipped: str | None = None
    notes: tuple[str, ...] = ()
    """What was left out beside pictures that were taken in: the first of it."""

    @property
    def has_changed(self) -> bool:
        """Whether the library is another one now."""
        return any((self.added, self.updated, self.moved, self.removed, self.failed))


def total(reports: Iterable[SyncReport]) -> SyncReport:
    """Several reports as one."""
    found = SyncReport()
    for report in reports:
        counted = ("added", "updated", "moved", "removed", "unchanged", "failed", "missing", "notes")
        sums = {name: getattr(found, name) + getattr(report, name) for name in counted}
        found = SyncReport(**sums, compaction_skipped=report.compaction_skipped or found.compaction_skipped)
    return found


@dataclass(frozen=True)
class IndexOptions:
    """How pictures are taken in. `encoder` is asked for when there is something to embed."""

    encoder: Callable[[], Encoder]
    threads: int
    queries: Queries | None = None
    memory: str | int | None = None
    progress: Callable[[Progress], None] | None = None
    retry_failed: bool = False
    may_replace: bool = False
    """Whether pictures of another model may be embedded anew."""
    limits: FetchLimits | None = None
    """How pictures of the web are fetched."""


def sync(directory: Path, folders: Sequence[Path] | None, how: IndexOptions) -> SyncReport:
    """Make the library `directory` hold what is in `folders` now; None: in all that it was made of.

    A stop at any moment keeps what was committed, and the next run goes on there. Raises InputError for a
    folder that is missing or has no picture, StorageError when the disk refuses, LibraryBusyError while
    another process writes, ModelMismatchError for another model than that of the library.
    """
    for path in folders or ():
        if next(open_source(path, limits=how.limits).find(), None) is None:
            raise InputError(f"expected pictures in {path}, found none ({_KINDS})")
    with exclusive_writer(directory) as catalogue:
        return _Sync(catalogue, directory, how).run(folders)


def add_files(directory: Path, files: Sequence[Path], how: IndexOptions) -> SyncReport:
    """Take single files into the library `directory`, also those that were removed from it or failed before.

    Raises InputError for what is no file, otherwise as `sync` does.
    """
    for file in files:
        if not file.is_file():
            raise InputError(
                f"expected a picture, found {'no file' if file.exists() else 'nothing'} at {file}"
            )
    with exclusive_writer(directory) as catalogue:
        work = _Sync(catalogue, directory, replace(how, retry_failed=True))
        return work.take([(*_home_of(catalogue, file), False) for file in files])


@dataclass
class _Sync:
    catalogue: Database
    directory: Path
    how: IndexOptions
    report: SyncReport = field(default_factory=SyncReport)
    readers: dict[int, PictureSource] = field(default_factory=dict)

    def run(self, folders: Sequence[Path] | None) -> SyncReport:
        return self.take((source, reader, True) for source, reader in self._sources(folders))

    def take(self, found: Iterable[tuple[Source, PictureSource, bool]]) -> SyncReport:
        """Take in pictures of sources; True says that these are all that the source has now."""
        ledger = FileTracker(self.catalogue)
        for source, reader, is_whole in found:
            ledger.scan(source, reader.find(), is_whole=is_whole)
            self.readers[source.number] = reader
        anew = self._is_other_model()
        moved, touched = ([], []) if anew else ledger.compare(threads=self.how.threads)
        gone = [] if anew else ledger.gone()
        todo, unchanged = ledger.plan(retry_failed=self.how.retry_failed, everything=anew)
        kept = len(_items(moved))
        unchanged += len(touched) + len(moved) - kept
        self.report = replace(self.report, unchanged=unchanged, moved=kept)
        if todo:
            check_disk_space(self.directory, todo, self.how.encoder().dim, _RECORD_BYTES)
        if moved or touched or gone:
            self._settle(moved, touched, gone)
        if todo:
            self._embed(ledger, todo, anew=anew)
        if self.report.has_changed or touched or moved:
            put_off = compact_if_space(self.catalogue, self.directory, self._compaction())
            self.report = replace(self.report, compaction_skipped=put_off)
        return self.report

    def _sources(self, paths: Sequence[Path] | None) -> Iterator[tuple[Source, PictureSource]]:
        if paths is not None:
            for path in paths:
                reader = open_source(path, limits=self.how.limits)
                yield _source(self.catalogue, reader.kind, reader.place), reader
            return
        for source in self.catalogue.sources():
            if source.kind == FILES:
                yield source, PlainFiles(FILES, source.place, partial(_files, self.catalogue, source))
            elif (known := reopen(source.kind, source.place, limits=self.how.limits)) is not None:
                if _is_there(known):
                    yield source, known
                else:
                    self.report = replace(self.report, missing=(*self.report.missing, source.place))

    def _is_other_model(self) -> bool:
        """Whether all pictures are to be embedded anew. Raises ModelMismatchError where others would stay."""
        fingerprint = self.catalogue.settings().get("fingerprint")
        if not self.how.may_replace or fingerprint is None:
            return False
        encoder = self.how.encoder()
        if encoder.space == fingerprint:
            return False
        query = "SELECT count(*) FROM main.files WHERE source NOT IN (SELECT source FROM temp.looked)"
        (others,) = self.catalogue.connection.execute(query).fetchone()
        if others or any(shard.rows and shard.source is not None for shard in self.catalogue.shards()):
            model = self.catalogue.settings()["model"]
            raise ModelMismatchError(
                f"this library holds vectors of '{model}' from another source, and vectors of "
                f"'{encoder.name}' cannot be compared with them: use that model, or another library"
            )
        return True

    def _settle(
        self,
        moved: Sequence[KnownFile],
        touched: Sequence[KnownFile],
        gone: Sequence[tuple[int, bytes, int | None]],
    ) -> None:
        """One commit of all that needs no model: files moved, touched and gone."""
        catalogue, connection = self.catalogue, self.catalogue.connection
        shards = Shards(self.directory, catalogue.shards(), catalogue.tombstones())
        known = [*moved, *touched]
        removed = [item for _, _, item in gone if item is not None]
        with (
            move_records(ShardFiles(catalogue, self.directory), shards, known) as draft,
            catalogue.transaction(),
        ):
            for stem, items in shards.shards_of([*removed, *_items(known)]).items():
                catalogue.add_tombstones(stem, items.tolist())
            rows = [(source, within) for source, within, _ in gone]
            connection.executemany("DELETE FROM main.files WHERE source = ? AND within = ?", rows)
            connection.executemany(
                "UPDATE main.files SET source = ?, within = ?, size_bytes = ?, modified_ns = ? "
                "WHERE source = ? AND within = ?",
                [(one.source, *_facts(one.picture), *one.old) for one in known],
            )
            if draft is not None:
                catalogue.add_shard(draft.row())
            catalogue.set_settings(fresh_version())
        self.report = replace(self.report, removed=len(removed))

    def _embed(self, ledger: FileTracker, total: int, *, anew: bool) -> None:
        how, encoder = self.how, self.how.encoder()
        waiting: defaultdict[tuple[Path, str], deque[PendingImage]] = defaultdict(deque)
        outcomes = embed_pictures(self._read(ledger.todo(), waiting), encoder, how.threads)
        with BatchWriter(
            self.catalogue,
            self.directory,
            encoder,
            columns=self._columns(),
            anew=anew,
            queries=how.queries,
            threads=how.threads,
            after_commit=self._merge_small,
        ) as pieces:
            for done, outcome in enumerate(outcomes, start=1):
                todo = _taken(waiting, outcome.picture)
                pieces.add(todo, outcome)
                self._count(todo, outcome)
                if how.progress is not None:
                    how.progress(Progress(done, total, self.report.failed, self.report.unchanged))
            pieces.finish()

    def _read(
        self, todos: Iterable[PendingImage], waiting: "defaultdict[tuple[Path, str], deque[PendingImage]]"
    ) -> Iterator[Picture]:
        """The pictures with all that their sources know of them; notes for which they are to be embedded."""
        for number, group in groupby(todos, key=lambda todo: todo.source):
            yield from self.readers[number].read(_noted(group, waiting))

    def _columns(self) -> pa.Schema:
        """The users' own columns. Raises InputError where one has another type than in the library."""
        own = [reader.columns() for reader in self.readers.values()]
        if not any(map(len, own)):
            return pa.schema([])
        shards = [row for row in self.catalogue.shards() if row.source is None]
        known = [part.shard.records.schema for part in Shards(self.directory, shards, {}).parts]
        try:
            pa.unify_schemas([SCHEMA, *known, *own], promote_options="permissive")
            return pa.unify_schemas(own, promote_options="permissive")
        except pa.ArrowException as error:
            raise InputError(
                f"expected columns of the types that this library has them in, found others: {error}; "
                "rename the column in the list"
            ) from error

    def _count(self, todo: PendingImage, outcome: Outcome) -> None:
        counted = "failed" if outcome.reason else "added" if todo.item is None else "updated"
        self.report = replace(self.report, **{counted: getattr(self.report, counted) + 1})
        if outcome.notes and len(self.report.notes) < _MOST_NOTES:
            notes = [f"{outcome.picture.within}: {note}" for note in outcome.notes]
            self.report = replace(self.report, notes=(*self.report.notes, *notes))

    def _merge_small(self) -> None:
        """Between two commits of a long index, so that there are never many shards to search."""
        compact_if_space(self.catalogue, self.directory, self._compaction(), compact_flat_only)

    def _compaction(self) -> CompactOptions:
        how = self.how
        return CompactOptions(how.encoder, how.queries, how.memory, how.threads)


def _items(known: Iterable[KnownFile]) -> list[int]:
    return [one.item for one in known if one.item is not None]


def _facts(picture: Picture) -> tuple[bytes, int, int]:
    return os.fsencode(picture.within), picture.size_bytes, picture.modified_ns


def _source(catalogue: Database, kind: str, place: Path) -> Source:
    """The source, made in a commit of its own if need be."""
    for source in catalogue.sources():
        if (source.kind, source.place) == (kind, place):
            return source
    with catalogue.transaction():
        return catalogue.source(kind, place)


def _home_of(catalogue: Database, file: Path) -> tuple[Source, PictureSource]:
    """The folder of the library that the file lies in, or else its own for single files; and the file."""
    path = absolute_path(file)
    inside = [s for s in catalogue.sources() if s.kind == FOLDER and path.is_relative_to(s.place)]
    source = inside[0] if inside else _source(catalogue, FILES, path.parent)
    status = path.stat()
    within = path.relative_to(source.place).as_posix()
    pictures = [Picture(source.place, within, status.st_size, status.st_mtime_ns)]
    return source, PlainFiles(source.kind, source.place, lambda: pictures)


def _noted(
    todos: Iterable[PendingImage], waiting: "defaultdict[tuple[Path, str], deque[PendingImage]]"
) -> Iterator[Picture]:
    for todo in todos:
        waiting[todo.picture.folder, todo.picture.within].append(todo)
        yield todo.picture


def _taken(waiting: "defaultdict[tuple[Path, str], deque[PendingImage]]", picture: Picture) -> PendingImage:
    """What was to be done with a picture: sources give them back in any order."""
    key = (picture.folder, picture.within)
    todo = waiting[key].popleft()
    if not waiting[key]:
        del waiting[key]
    return todo


def _is_there(reader: PictureSource) -> bool:
    """Whether a source has any picture; it has none when a disk is not mounted."""
    try:
        return next(reader.find(), None) is not None
    except InputError:
        return False


def _files(catalogue: Database, source: Source) -> Iterator[Picture]:
    """The single files of a source that are still there."""
    rows = catalogue.connection.execute(
        "SELECT within FROM files WHERE source = ? ORDER BY within", (source.number,)
    )
    for (within,) in rows.fetchall():
        try:
            status = (source.place / os.fsdecode(within)).stat()
        except OSError:
            continue
        yield Picture(source.place, os.fsdecode(within), status.st_size, status.st_mtime_ns)
