"""Sync a library with its sources: embed new pictures, recognize moved ones, remove gone ones."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from snapseek.absolute_path import absolute_path
from snapseek.errors import InputError
from snapseek.file_kinds import RAW, VIDEO, other_kind
from snapseek.library.indexing.batch_writer import BatchWriter
from snapseek.library.indexing.compact import CompactOptions, compact_flat_only, compact_if_space
from snapseek.library.indexing.embed import Outcome, embed_pictures
from snapseek.library.indexing.file_tracker import FileTracker, KnownFile, PendingImage
from snapseek.library.indexing.measure_background import prepare_background
from snapseek.library.indexing.source_selection import (
    SourceSelection,
    as_folder,
    check_has_pictures,
    row_stamps,
    source_of,
    with_folders,
)
from snapseek.library.indexing.sync_report import Progress, SyncReport
from snapseek.library.indexing.update_records import RecordUpdate
from snapseek.library.indexing.waiting_images import WaitingImages
from snapseek.library.records.arrow_file import SCHEMA
from snapseek.library.records.record_schema import record_schema
from snapseek.library.storage.confirmations import ID_SETTING, NOTHING, Confirmed, confirm
from snapseek.library.storage.database import Database
from snapseek.library.storage.disk_space import check_disk_space
from snapseek.library.storage.last_sync import record_sync
from snapseek.library.storage.library_meta import fresh_version, mixed_models
from snapseek.library.storage.schema import FILES, FOLDER, URLS
from snapseek.library.storage.shard_draft import Queries
from snapseek.library.storage.shard_files import exclusive_writer
from snapseek.library.storage.shards import Shards
from snapseek.library.storage.source_table import Source
from snapseek.library.storage.trust import Trust
from snapseek.models import Encoder
from snapseek.sources import FetchLimits, Picture, PictureSource, open_source, with_sidecars
from snapseek.sources.fields.record_values import common_schema, converted_value

_RECORD_BYTES = 1000
"""Bounds a record: a preview of at most 500 bytes, and metadata."""

_MAX_NOTES = 100


@dataclass(frozen=True)
class IndexOptions:
    """How pictures are indexed. `encoder` is called only if there is something to embed."""

    encoder: Callable[[], Encoder]
    threads: int
    queries: Queries | None = None
    memory: str | int | None = None
    progress: Callable[[Progress], None] | None = None
    retry_failed: bool = False
    metadata: bool = False
    """Whether the metadata of all picture files is read again."""
    limits: FetchLimits | None = None
    """Bounds the fetching of pictures from the web."""
    stop: threading.Event | None = None
    """Ends the indexing when it is set; what is embedded is committed."""
    model_is_named: bool = False
    """Whether the user has chosen the model, so that the library may load it again."""
    allowed: Confirmed = NOTHING
    """What the library may read besides what the user has confirmed."""
    exclude: Sequence[str] = ()
    """Patterns of gitignore, added to those of the folders that are synced."""
    accept_missing: Sequence[Path] = ()
    """Folders whose pictures are removed although the folder may only be unmounted."""


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
        check_has_pictures(path, options.limits, options.exclude)
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
        sources = [(*source_of(database, file), False) for file in files]
        confirm(database, directory, Confirmed(tuple(map(absolute_path, files))))
        return run.index(sources)


@dataclass
class _SyncRun:
    """One sync of a library that is open for writing."""

    database: Database
    directory: Path
    options: IndexOptions
    report: SyncReport = field(default_factory=SyncReport)
    readers: dict[int, PictureSource] = field(default_factory=dict)

    @property
    def _update(self) -> RecordUpdate:
        return RecordUpdate(self.database, self.directory, self.options.threads, self.readers, self._note)

    def sync(self, folders: Sequence[Path] | None) -> SyncReport:
        options = self.options
        accepted = [absolute_path(path) for path in options.accept_missing]
        if folders is not None:
            self._confirm(folders)
        trust = Trust(self.directory, self.database.settings.all().get(ID_SETTING), options.allowed)
        selection = SourceSelection(self.database, options.limits, accepted, trust)
        if folders is None:
            selection.add_all()
        else:
            selection.add(folders, options.exclude)
        self.report = replace(
            self.report,
            missing=tuple(selection.missing),
            unconfirmed=tuple(selection.unconfirmed),
            notes=tuple(selection.notes),
        )
        sources = [(source, reader, True) for source, reader in selection.sources.values()]
        self.index(sources, selection)
        if not self.report.is_stopped:
            synced = [source.path for source, _, _ in sources]
            record_sync(self.database, self.report.missing, None if folders is None else synced)
        return self.report

    def index(
        self, sources: Sequence[tuple[Source, PictureSource, bool]], selection: SourceSelection | None = None
    ) -> SyncReport:
        """Index pictures of sources. The flag says that these are all pictures that the source has now."""
        tracker = FileTracker(self.database)
        self._scan(tracker, sources)
        self._record_scan()
        if selection is not None:
            duplicates = selection.merge_duplicates(tracker, self.readers)
            self.report = replace(self.report, duplicates=duplicates)
            selection.accept(tracker, self.readers)
        moved, touched = tracker.compare(threads=self.options.threads)
        if selection is not None:
            kept = selection.keep_unmounted(tracker, self.readers)
            self.report = replace(self.report, missing=(*self.report.missing, *kept))
        gone = tracker.gone()
        pending, unchanged = tracker.plan(retry_failed=self.options.retry_failed)
        moved_pictures = len(_items(moved))
        described = tracker.sidecars.plan(everything=self.options.metadata)
        unchanged += len(touched) + len(moved) - moved_pictures - described
        unreadable, removed = tracker.left_out([*moved, *touched], retry_failed=self.options.retry_failed)
        self.report = replace(
            self.report,
            unchanged=unchanged,
            moved=moved_pictures,
            failed_before=unreadable,
            removed_before=removed,
        )
        if pending:
            self._check_model()
            check_disk_space(self.directory, pending, self.options.encoder().dim, _RECORD_BYTES)
        if moved or touched or gone:
            self._commit_known(tracker, [*moved, *touched], gone)
        if described:
            described = self._update.described(tracker)
            self.report = replace(self.report, described=described)
        if pending:
            self._embed(tracker, pending)
        if selection is not None:
            self._remove_merged([covered.source for covered in selection.covered] + selection.absent)
        notes = [note for reader in self.readers.values() for note in reader.notes()]
        self.report = replace(self.report, notes=(*self.report.notes, *notes)[:_MAX_NOTES])
        if self.report.has_changed or touched or moved or described:
            skipped = compact_if_space(self.database, self.directory, self._compaction())
            self.report = replace(self.report, compaction_skipped=skipped)
        return self.report

    def _scan(self, tracker: FileTracker, sources: Sequence[tuple[Source, PictureSource, bool]]) -> None:
        """List the pictures of all sources. The user has confirmed the files that a named list holds."""
        named = Trust(self.directory, self.database.settings.all().get(ID_SETTING))
        folders: set[Path] = set()
        for source, reader, is_whole in sources:
            has_files = source.kind in (FOLDER, FILES, URLS)
            pictures = with_sidecars(reader.find()) if has_files else reader.find()
            if source.kind == URLS and named.names(source.path):
                pictures = with_folders(pictures, folders)
            tracker.scan(source, pictures, is_whole=is_whole)
            tracker.sidecars.scan_rows(source.number, row_stamps(reader))
            self.readers[source.number] = reader
        if folders:
            confirm(self.database, self.directory, Confirmed(folders=tuple(sorted(folders))))

    def _confirm(self, paths: Sequence[Path]) -> None:
        """Record that the user named these sources for the library, and the model if it was named too."""
        models = (self.options.encoder().name,) if self.options.model_is_named else ()
        for path in paths:
            reader = open_source(path, limits=self.options.limits)
            confirm(self.database, self.directory, Confirmed((reader.path,), reader.kind == URLS, models))

    def _record_scan(self) -> None:
        """Commit where the library is, and what the scan of each folder skipped."""
        folders = self.database.folders
        with self.database.transaction():
            self.database.record_directory()
            has_changed = False
            for number, reader in self.readers.items():
                if (folder := as_folder(reader)) is not None:
                    skipped = folder.skipped
                    has_changed |= folders.set_skipped(number, skipped.counts, skipped.names)
                    self.report = replace(self.report, skipped=(*self.report.skipped, *skipped.examples()))
            if has_changed:
                self.database.settings.update(fresh_version())

    def _remove_merged(self, sources: Sequence[Source]) -> None:
        """Remove the sources whose pictures all belong to another one now."""
        empty = [source for source in sources if not self.database.files.names(source)]
        if empty:
            with self.database.transaction():
                for source in empty:
                    self.database.sources.remove(source)
                    self.database.folders.forget(source.number)

    def _check_model(self) -> None:
        """Raise ModelMismatchError if the library has vectors of another model, perhaps since an upgrade."""
        settings = self.database.settings.all()
        encoder = self.options.encoder()
        if encoder.space != settings.get("fingerprint", encoder.space):
            raise mixed_models(settings["model"], encoder)

    def _commit_known(
        self, tracker: FileTracker, known: Sequence[KnownFile], gone: Sequence[tuple[int, bytes, int | None]]
    ) -> None:
        """Commit the files that need no model: moved, touched and gone ones."""
        removed = [item for _, _, item in gone if item is not None]
        gone_keys = [(source, within) for source, within, _ in gone]
        connection = self.database.connection
        with self._update.records(known) as (shards, _):
            for stem, items in shards.shards_of(removed).items():
                self.database.shards.add_tombstones(stem, items.tolist())
            self.database.folders.remember_items(removed)
            connection.executemany("DELETE FROM main.files WHERE source = ? AND within = ?", gone_keys)
            connection.executemany(
                "UPDATE main.files SET source = ?, within = ?, size_bytes = ?, modified_ns = ? "
                "WHERE source = ? AND within = ?",
                [(file.source, *_file_values(file.picture), *file.old) for file in known],
            )
            tracker.sidecars.remove([*gone_keys, *(file.old for file in known)])
            tracker.sidecars.store([(file.source, os.fsencode(file.picture.within)) for file in known])
        self.report = replace(self.report, removed=len(removed))

    def _embed(self, tracker: FileTracker, total: int) -> None:
        options, encoder = self.options, self.options.encoder()
        waiting = WaitingImages()
        outcomes = embed_pictures(self._read(tracker.pending(), waiting), encoder, options.threads)
        with BatchWriter(
            self.database,
            self.directory,
            encoder,
            schema=self._schema(),
            queries=options.queries,
            threads=options.threads,
            after_commit=self._merge_small,
        ) as writer:
            for done, outcome in enumerate(outcomes, start=1):
                pending = waiting.pop(outcome.picture)
                writer.add(pending, outcome)
                self._count(pending, outcome)
                if options.progress is not None:
                    options.progress(Progress(done, total, self.report.failed, self.report.unchanged))
                if options.stop is not None and options.stop.is_set():
                    self.report = replace(self.report, is_stopped=True)
                    break
            writer.finish()
        if not self.report.is_stopped:
            prepare_background(encoder, self.report.added + self.report.updated)

    def _read(self, pending: Iterable[PendingImage], waiting: WaitingImages) -> Iterator[Picture]:
        """Yield the pictures as their sources read them; adds each to `waiting`."""
        schema = self._columns()
        for number, group in groupby(pending, key=lambda image: image.source):
            reader = self.readers[number]
            other = {
                field.name: schema.field(field.name).type
                for field in reader.columns()
                if field.type != schema.field(field.name).type
            }
            for picture in reader.read(waiting.added(group)):
                yield _converted(picture, other) if other else picture

    def _schema(self) -> pa.Schema:
        """Return the columns of new records: those of all pictures, and the users' own."""
        own = self._columns()
        if not len(own) and all(source.kind in (FOLDER, FILES) for source in self.database.sources.all()):
            return SCHEMA
        shards = [row for row in self.database.shards.all() if row.source is None]
        return record_schema(
            [part.shard.records.schema for part in Shards(self.directory, shards, {}).parts], own
        )

    def _columns(self) -> pa.Schema:
        """Return the users' own columns, each with the common type of all sources."""
        return common_schema(reader.columns() for reader in self.readers.values())

    def _count(self, pending: PendingImage, outcome: Outcome) -> None:
        counted = "failed" if outcome.reason else "added" if pending.item is None else "updated"
        self.report = replace(self.report, **{counted: getattr(self.report, counted) + 1})
        kind = other_kind(outcome.picture.within)
        if outcome.record is not None and kind in (RAW, VIDEO):
            self.report = replace(self.report, **{kind: getattr(self.report, kind) + 1})
        self._note(outcome.picture, outcome.notes)

    def _note(self, picture: Picture, notes: Iterable[str]) -> None:
        if notes and len(self.report.notes) < _MAX_NOTES:
            found = [f"{picture.within}: {note}" for note in notes]
            self.report = replace(self.report, notes=(*self.report.notes, *found))

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
