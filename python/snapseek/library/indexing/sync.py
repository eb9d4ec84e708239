"""Sync a library with its sources: embed new pictures, recognize moved ones, remove gone ones."""

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from snapseek.absolute_path import absolute_path
from snapseek.errors import InputError
from snapseek.library.indexing.batch_writer import BatchWriter
from snapseek.library.indexing.compact import CompactOptions, compact_flat_only, compact_if_space
from snapseek.library.indexing.embed import Outcome, embed_pictures
from snapseek.library.indexing.file_tracker import FileTracker, KnownFile, PendingImage
from snapseek.library.indexing.move_records import move_records
from snapseek.library.storage.database import Database
from snapseek.library.storage.disk_space import check_disk_space
from snapseek.library.storage.library_meta import fresh_version, mixed_models
from snapseek.library.storage.schema import FILES, FOLDER
from snapseek.library.storage.shard_draft import Queries
from snapseek.library.storage.shard_files import ShardFiles, exclusive_writer
from snapseek.library.storage.shards import Shards
from snapseek.library.storage.source_table import Source
from snapseek.models import Encoder
from snapseek.sources import FetchLimits, Picture, PictureSource, PlainFiles, open_source, reopen
from snapseek.sources.fields.record_values import common_schema, converted_value

_RECORD_BYTES = 1000
"""Bounds a record: a preview of at most 500 bytes, and metadata."""

_MAX_NOTES = 100
_Waiting = defaultdict[tuple[Path, str], deque[PendingImage]]
"""Pending images by folder and name; a name is twice if two sources have it."""

_KINDS = ".jpg .png .webp .gif .tif .bmp .avif"


@dataclass(frozen=True)
class Progress:
    """The progress of an index: `done` of `total` files, `failed` of them without success.

    `skipped` files are unchanged and not part of the total.
    """

    done: int
    total: int
    failed: int
    skipped: int = 0


@dataclass(frozen=True)
class SyncReport:
    """The numbers of pictures that a sync added, updated, moved, removed, left alone, or could not read.

    `missing` are sources that are gone or empty; their pictures stay. `compaction_skipped` is the reason why
    small shards were not merged.
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
    """The first notes on sidecar data that was skipped, and on values of tables that changed or were lost."""

    @property
    def has_changed(self) -> bool:
        """Return whether the sync changed the library."""
        return any((self.added, self.updated, self.moved, self.removed, self.failed))


def total(reports: Iterable[SyncReport]) -> SyncReport:
    """Return the sum of several reports."""
    found = SyncReport()
    for report in reports:
        counted = ("added", "updated", "moved", "removed", "unchanged", "failed", "missing", "notes")
        sums = {name: getattr(found, name) + getattr(report, name) for name in counted}
        found = SyncReport(**sums, compaction_skipped=report.compaction_skipped or found.compaction_skipped)
    return found


@dataclass(frozen=True)
class IndexOptions:
    """How pictures are indexed. `encoder` is called only if there is something to embed."""

    encoder: Callable[[], Encoder]
    threads: int
    queries: Queries | None = None
    memory: str | int | None = None
    progress: Callable[[Progress], None] | None = None
    retry_failed: bool = False
    may_replace: bool = False
    """Whether pictures of another model may be embedded again."""
    limits: FetchLimits | None = None
    """Bounds the fetching of pictures from the web."""


def sync(directory: Path, folders: Sequence[Path] | None, options: IndexOptions) -> SyncReport:
    """Make the library at `directory` hold the pictures that its sources have now.

    An interrupted sync keeps what was committed, and the next one resumes there.

    Parameters
    ----------
    directory
        The library.
    folders
        The sources to sync, new ones among them; None for all sources of the library.
    options
        How pictures are indexed.

    Raises
    ------
    InputError
        If a folder is missing or has no picture.
    StorageError
        If the disk refuses.
    LibraryBusyError
        If another process is writing.
    ModelMismatchError
        If the library was made with another model.
    """
    for path in folders or ():
        if next(open_source(path, limits=options.limits).find(), None) is None:
            raise InputError(expected=f"pictures ({_KINDS}) in {path}", got="none")
    with exclusive_writer(directory) as database:
        return _SyncRun(database, directory, options).sync(folders)


def add_files(directory: Path, files: Sequence[Path], options: IndexOptions) -> SyncReport:
    """Add single files to the library at `directory`, also those that were removed or failed before.

    Raises InputError if one is not a file, and as `sync` does.
    """
    for file in files:
        if not file.is_file():
            raise InputError(
                expected="a picture", got=f"{'no file' if file.exists() else 'nothing'} at {file}"
            )
    with exclusive_writer(directory) as database:
        run = _SyncRun(database, directory, replace(options, retry_failed=True))
        return run.index([(*_source_of(database, file), False) for file in files])


@dataclass
class _SyncRun:
    """One sync of a library that is open for writing."""

    database: Database
    directory: Path
    options: IndexOptions
    report: SyncReport = field(default_factory=SyncReport)
    readers: dict[int, PictureSource] = field(default_factory=dict)

    def sync(self, folders: Sequence[Path] | None) -> SyncReport:
        return self.index((source, reader, True) for source, reader in self._sources(folders))

    def index(self, sources: Iterable[tuple[Source, PictureSource, bool]]) -> SyncReport:
        """Index pictures of sources. The flag says that these are all pictures that the source has now."""
        tracker = FileTracker(self.database)
        for source, reader, is_whole in sources:
            tracker.scan(source, reader.find(), is_whole=is_whole)
            self.readers[source.number] = reader
        replace_all = self._replaces_model()
        moved, touched = ([], []) if replace_all else tracker.compare(threads=self.options.threads)
        gone = [] if replace_all else tracker.gone()
        pending, unchanged = tracker.plan(retry_failed=self.options.retry_failed, everything=replace_all)
        moved_pictures = len(_items(moved))
        unchanged += len(touched) + len(moved) - moved_pictures
        self.report = replace(self.report, unchanged=unchanged, moved=moved_pictures)
        if pending:
            check_disk_space(self.directory, pending, self.options.encoder().dim, _RECORD_BYTES)
        if moved or touched or gone:
            self._commit_known(moved, touched, gone)
        if pending:
            self._embed(tracker, pending, replace_all=replace_all)
        notes = [note for reader in self.readers.values() for note in reader.notes()]
        self.report = replace(self.report, notes=(*self.report.notes, *notes)[:_MAX_NOTES])
        if self.report.has_changed or touched or moved:
            skipped = compact_if_space(self.database, self.directory, self._compaction())
            self.report = replace(self.report, compaction_skipped=skipped)
        return self.report

    def _sources(self, paths: Sequence[Path] | None) -> Iterator[tuple[Source, PictureSource]]:
        if paths is not None:
            for path in paths:
                reader = open_source(path, limits=self.options.limits)
                yield _get_or_create(self.database, reader.kind, reader.path), reader
            return
        for source in self.database.sources.all():
            if source.kind == FILES:
                yield source, PlainFiles(FILES, source.path, partial(_single_files, self.database, source))
            elif (known := reopen(source.kind, source.path, limits=self.options.limits)) is not None:
                if _has_pictures(known):
                    yield source, known
                else:
                    self.report = replace(self.report, missing=(*self.report.missing, source.path))

    def _replaces_model(self) -> bool:
        """Return whether another model replaces all pictures. Raises ModelMismatchError if others stay."""
        fingerprint = self.database.settings.all().get("fingerprint")
        if not self.options.may_replace or fingerprint is None:
            return False
        encoder = self.options.encoder()
        if encoder.space == fingerprint:
            return False
        query = "SELECT count(*) FROM main.files WHERE source NOT IN (SELECT source FROM temp.scanned)"
        (others,) = self.database.connection.execute(query).fetchone()
        if others or any(shard.rows and shard.source is not None for shard in self.database.shards.all()):
            raise mixed_models(self.database.settings.all()["model"], encoder)
        return True

    def _commit_known(
        self,
        moved: Sequence[KnownFile],
        touched: Sequence[KnownFile],
        gone: Sequence[tuple[int, bytes, int | None]],
    ) -> None:
        """Commit the files that need no model: moved, touched and gone ones."""
        database, connection = self.database, self.database.connection
        shards = Shards(self.directory, database.shards.all(), database.shards.tombstones())
        known = [*moved, *touched]
        removed = [item for _, _, item in gone if item is not None]
        with (
            move_records(ShardFiles(database, self.directory), shards, known) as draft,
            database.transaction(),
        ):
            for stem, items in shards.shards_of([*removed, *_items(known)]).items():
                database.shards.add_tombstones(stem, items.tolist())
            rows = [(source, within) for source, within, _ in gone]
            connection.executemany("DELETE FROM main.files WHERE source = ? AND within = ?", rows)
            connection.executemany(
                "UPDATE main.files SET source = ?, within = ?, size_bytes = ?, modified_ns = ? "
                "WHERE source = ? AND within = ?",
                [(file.source, *_file_values(file.picture), *file.old) for file in known],
            )
            if draft is not None:
                database.shards.add(draft.row())
            database.settings.update(fresh_version())
        self.report = replace(self.report, removed=len(removed))

    def _embed(self, tracker: FileTracker, total: int, *, replace_all: bool) -> None:
        options, encoder = self.options, self.options.encoder()
        waiting: _Waiting = defaultdict(deque)
        outcomes = embed_pictures(self._read(tracker.pending(), waiting), encoder, options.threads)
        with BatchWriter(
            self.database,
            self.directory,
            encoder,
            columns=self._columns(),
            replace_all=replace_all,
            queries=options.queries,
            threads=options.threads,
            after_commit=self._merge_small,
        ) as writer:
            for done, outcome in enumerate(outcomes, start=1):
                pending = _pop(waiting, outcome.picture)
                writer.add(pending, outcome)
                self._count(pending, outcome)
                if options.progress is not None:
                    options.progress(Progress(done, total, self.report.failed, self.report.unchanged))
            writer.finish()

    def _read(self, pending: Iterable[PendingImage], waiting: _Waiting) -> Iterator[Picture]:
        """Yield the pictures as their sources read them; adds each to `waiting`."""
        schema = self._columns()
        for number, group in groupby(pending, key=lambda image: image.source):
            reader = self.readers[number]
            other = {
                field.name: schema.field(field.name).type
                for field in reader.columns()
                if field.type != schema.field(field.name).type
            }
            for picture in reader.read(_enqueued(group, waiting)):
                yield _converted(picture, other) if other else picture

    def _columns(self) -> pa.Schema:
        """Return the users' own columns, each with the common type of all sources."""
        return common_schema(reader.columns() for reader in self.readers.values())

    def _count(self, pending: PendingImage, outcome: Outcome) -> None:
        counted = "failed" if outcome.reason else "added" if pending.item is None else "updated"
        self.report = replace(self.report, **{counted: getattr(self.report, counted) + 1})
        if outcome.notes and len(self.report.notes) < _MAX_NOTES:
            notes = [f"{outcome.picture.within}: {note}" for note in outcome.notes]
            self.report = replace(self.report, notes=(*self.report.notes, *notes))

    def _merge_small(self) -> None:
        """Merge flat shards between two commits of a long index, so that searches never scan many shards."""
        compact_if_space(self.database, self.directory, self._compaction(), compact_flat_only)

    def _compaction(self) -> CompactOptions:
        options = self.options
        return CompactOptions(options.encoder, options.queries, options.memory, options.threads)


def _converted(picture: Picture, kinds: Mapping[str, pa.DataType]) -> Picture:
    columns = {
        name: converted_value(value, kinds[name]) if name in kinds else value
        for name, value in picture.columns.items()
    }
    return replace(picture, columns=columns)


def _items(known: Iterable[KnownFile]) -> list[int]:
    return [file.item for file in known if file.item is not None]


def _file_values(picture: Picture) -> tuple[bytes, int, int]:
    return os.fsencode(picture.within), picture.size_bytes, picture.modified_ns


def _get_or_create(database: Database, kind: str, path: Path) -> Source:
    """Return the source; a missing one is added in a commit of its own."""
    for source in database.sources.all():
        if (source.kind, source.path) == (kind, path):
            return source
    with database.transaction():
        return database.sources.get_or_create(kind, path)


def _source_of(database: Database, file: Path) -> tuple[Source, PictureSource]:
    """Return the indexed folder that contains a file, or a source of single files, with only that file."""
    path = absolute_path(file)
    inside = [s for s in database.sources.all() if s.kind == FOLDER and path.is_relative_to(s.path)]
    source = inside[0] if inside else _get_or_create(database, FILES, path.parent)
    status = path.stat()
    within = path.relative_to(source.path).as_posix()
    pictures = [Picture(source.path, within, status.st_size, status.st_mtime_ns)]
    return source, PlainFiles(source.kind, source.path, lambda: pictures)


def _enqueued(pending: Iterable[PendingImage], waiting: _Waiting) -> Iterator[Picture]:
    for image in pending:
        waiting[image.picture.folder, image.picture.within].append(image)
        yield image.picture


def _pop(waiting: _Waiting, picture: Picture) -> PendingImage:
    """Remove and return the pending image of a picture. Sources yield pictures in any order."""
    key = (picture.folder, picture.within)
    pending = waiting[key].popleft()
    if not waiting[key]:
        del waiting[key]
    return pending


def _has_pictures(reader: PictureSource) -> bool:
    """Return whether a source has any picture. It has none if its disk is not mounted."""
    try:
        return next(reader.find(), None) is not None
    except InputError:
        return False


def _single_files(database: Database, source: Source) -> Iterator[Picture]:
    """Yield the single files of a source that still exist."""
    for within in database.files.names(source):
        try:
            status = (source.path / within).stat()
        except OSError:
            continue
        yield Picture(source.path, within, status.st_size, status.st_mtime_ns)
