"""Choose the sources of a sync: known or new ones, each picture reached by one source only."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from snapseek.absolute_path import absolute_path
from snapseek.errors import InputError
from snapseek.library.indexing.file_tracker import FileTracker
from snapseek.library.indexing.skipped import describe_skipped, install_hint
from snapseek.library.storage.database import Database
from snapseek.library.storage.schema import FILES, FOLDER, IMPORT
from snapseek.library.storage.source_table import Source
from snapseek.library.storage.trust import Guarded, Trust
from snapseek.sources import (
    FetchLimits,
    FolderFiles,
    FolderImages,
    FolderSource,
    Picture,
    PictureSource,
    PlainFiles,
    open_source,
    reopen,
)
from snapseek.sources.exclusions import checked_patterns, moved_into
from snapseek.sources.picture import SidecarFile

_KINDS = ".jpg .png .webp .gif .tif .bmp .avif .heic"


@dataclass(frozen=True)
class CoveredSource:
    """A source whose pictures another one reaches, too: there below `prefix`, which ends with a slash."""

    source: Source
    reader: PictureSource
    container: Source
    prefix: str


@dataclass
class SourceSelection:
    """The sources to scan.

    Attributes
    ----------
    database
        Open for writing.
    limits
        How URLs are fetched.
    accepted
        Folders that are empty or missing for good: what was below them is removed.
    trust
        What the library may read; None for everything.
    sources
        What is scanned, by number.
    covered
        Further sources whose pictures become those of a scanned one.
    absent
        Folders that are not there. A new folder with their pictures is the same folder, moved.
    missing
        Sources that are gone or empty, whose pictures stay.
    unconfirmed
        Sources that the library names and the user has not confirmed: they are not read, their pictures stay.
    notes
        Which folders were reached by another source.
    """

    database: Database
    limits: FetchLimits | None = None
    accepted: Sequence[Path] = ()
    trust: Trust | None = None
    sources: dict[int, tuple[Source, PictureSource]] = field(default_factory=dict)
    covered: list[CoveredSource] = field(default_factory=list)
    absent: list[Source] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)
    unconfirmed: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_all(self) -> None:
        """Add all sources of the library that have a picture. Raises InputError for an accepted stranger."""
        known = self.database.sources.all()
        for path in self.accepted:
            if not any(path.is_relative_to(source.path) for source in known):
                raise InputError(
                    expected="a folder of this library", got=str(path), hint="see: snapseek info"
                )
        for source in known:
            if source.kind == IMPORT:
                continue
            if not (self.trust is None or self.trust.permits_source(source)):
                self.unconfirmed.append(source.path)
                continue
            if (reader := self.reader_of(source)) is None:
                continue
            if has_pictures(reader) or (source.kind == FILES and self._has_entries(source.path)):
                self.sources[source.number] = (source, reader)
            elif self.is_accepted(source.path):
                self.sources[source.number] = (source, PlainFiles(source.kind, source.path, list))
            else:
                self.missing.append(source.path)
        self._find_covered()

    def add(self, paths: Sequence[Path], exclude: Sequence[str]) -> None:
        """Add these paths, new ones among them. Raises InputError for one that cannot be opened."""
        before = self.database.sources.all()
        for path in paths:
            reader = open_source(path, limits=self.limits, exclude=exclude)
            if isinstance(reader, FolderSource):
                self._add_folder(reader, exclude)
            else:
                source = get_or_create(self.database, reader.kind, reader.path)
                self._exclude(source, exclude)
                self.sources[source.number] = (source, self.reader_of(source) or reader)
        known = {source.number for source in before}
        if any(source.kind == FOLDER and number not in known for number, (source, _) in self.sources.items()):
            self.absent = [
                source
                for source in self._permitted()
                if source.kind == FOLDER
                and source.number in known
                and source.number not in self.sources
                and not self._is_present(source)
            ]
        self._find_covered()

    def merge_duplicates(self, tracker: FileTracker, readers: dict[int, PictureSource]) -> int:
        """Let each picture be reached once: by the outermost folder, and by its file, not by a link.

        Call it after the sources were scanned. Adds what else is scanned to `readers`. Return the number of
        pictures that were reached twice.
        """
        duplicates = 0
        for covered in self.covered:
            tracker.scan(covered.source, covered.reader.find())
            readers[covered.source.number] = covered.reader
            duplicates += tracker.merge(covered.source, covered.container, covered.prefix)
        for number, reader in readers.items():
            if (folder := as_folder(reader)) is not None:
                duplicates += tracker.drop_links(number, folder.links)
        for source in self.absent:
            tracker.add_absent(source)
        return duplicates

    def keep_unmounted(self, tracker: FileTracker, readers: Mapping[int, PictureSource]) -> list[Path]:
        """Keep the pictures of folders that are empty now, and return these: they may be unmounted.

        Call it after the files were compared, so that what was moved elsewhere has moved.
        """
        kept = [readers[number].path / within for number, within in tracker.unreadable]
        for number, reader in readers.items():
            folder = as_folder(reader)
            for within in filter(None, folder.empty_folders if folder is not None else ()):
                path = reader.path / within
                if not self.is_accepted(path) and tracker.keep_below(number, within):
                    kept.append(path)
        return kept

    def accept(self, tracker: FileTracker, readers: Mapping[int, PictureSource]) -> None:
        """Let the comparison remove what is below accepted folders that cannot be read."""
        for number, reader in readers.items():
            for accepted in self.accepted:
                if accepted.is_relative_to(reader.path):
                    within = accepted.relative_to(reader.path).as_posix()
                    tracker.accepted.add((number, os.fsencode(within)))

    def is_accepted(self, path: Path) -> bool:
        """Return whether it was confirmed that the pictures below a folder are gone."""
        return any(path.is_relative_to(accepted) for accepted in self.accepted)

    def _add_folder(self, reader: FolderSource, exclude: Sequence[str]) -> None:
        for known in self._folders():
            prefix = self._prefix(reader.path, known)
            if prefix is None:
                continue
            if prefix:
                self.notes.append(f"{reader.path} is inside {known.path}, which was indexed as a whole")
            elif known.path != reader.path:
                self.notes.append(f"{reader.path} is {known.path}, which is in the library")
            patterns = [moved_into(pattern, prefix.rstrip("/")) for pattern in exclude] if prefix else exclude
            self._exclude(known, patterns)
            self.sources[known.number] = (known, self._guarded(known, self._folder(known)))
            return
        source = get_or_create(self.database, FOLDER, reader.path)
        self._exclude(source, exclude)
        self.sources[source.number] = (source, self._guarded(source, self._folder(source)))

    def _find_covered(self) -> None:
        folders = sorted(
            (source for source, reader in self.sources.values() if as_folder(reader) is not None),
            key=lambda source: len(source.path.parts),
        )
        for source in self._permitted():
            if source.kind not in (FOLDER, FILES) or not self._is_present(source):
                continue
            for container in folders:
                prefix = None if container.number == source.number else self._prefix(source.path, container)
                if prefix is not None and container.number in self.sources:
                    self._cover(source, container, prefix)
                    break

    def _cover(self, source: Source, container: Source, prefix: str) -> None:
        patterns = self.database.folders.exclusions(source.number)
        self._exclude(container, [moved_into(pattern, prefix.rstrip("/")) for pattern in patterns])
        self.sources[container.number] = (container, self._guarded(container, self._folder(container)))
        self.sources.pop(source.number, None)
        if (reader := self.reader_of(source)) is not None:
            self.covered.append(CoveredSource(source, reader, container, prefix))
        if source.kind == FOLDER:
            self.notes.append(f"{source.path} is inside {container.path}, which has its pictures now")

    def _prefix(self, path: Path, container: Source) -> str | None:
        """Return the folder `path` relative to a source that lists its pictures; None for another source."""
        real, root = Path(os.path.realpath(path)), Path(os.path.realpath(container.path))
        if _is_same(real, root):
            return ""
        parent = next((above for above in real.parents if _is_same(above, root)), None)
        if parent is None:
            return None
        within = real.relative_to(parent).as_posix()
        is_excluded = self._folder(container).exclusions.excludes_below(within)
        return None if is_excluded else f"{within}/"

    def _exclude(self, source: Source, patterns: Iterable[str]) -> None:
        """Add patterns to those of a source; the last one that fits decides, so they go to the end."""
        before = self.database.folders.exclusions(source.number)
        added = checked_patterns(list(patterns))
        after = (*(pattern for pattern in before if pattern not in added), *added)
        if after != before:
            with self.database.transaction():
                self.database.folders.set_exclusions(source.number, after)

    def _folders(self) -> list[Source]:
        known = [source for source in self._permitted() if source.kind == FOLDER]
        return sorted(known, key=lambda source: len(source.path.parts))

    def _has_entries(self, folder: Path) -> bool:
        """Return whether a folder is there and has anything in it that the library may see."""
        return (self.trust is None or self.trust.permits(folder)) and _has_entries(folder)

    def _permitted(self) -> list[Source]:
        """Return the sources that the library may read."""
        return [
            source
            for source in self.database.sources.all()
            if self.trust is None or self.trust.permits_source(source)
        ]

    def _folder(self, source: Source) -> FolderSource:
        return FolderImages(source.path, self.database.folders.exclusions(source.number))

    def reader_of(self, source: Source) -> PictureSource | None:
        """Return a reader of what the library may read of a source; None if it is gone."""
        if source.kind == FILES:
            files = PlainFiles(FILES, source.path, partial(_single_files, self.database, source))
            return self._guarded(source, files, is_named=False)
        exclude = self.database.folders.exclusions(source.number)
        reader = reopen(source.kind, source.path, limits=self.limits, exclude=exclude)
        return None if reader is None else self._guarded(source, reader)

    def _guarded(
        self, source: Source, reader: PictureSource, *, is_named: bool | None = None
    ) -> PictureSource:
        """Return a reader that reads what the library may. A source that the user named is trusted."""
        if self.trust is None or (self.trust.names(source.path) if is_named is None else is_named):
            return reader
        return Guarded(reader, self.trust, partial(self.database.files.stamp, source))

    def _is_present(self, source: Source) -> bool:
        reader = self.reader_of(source)
        return reader is not None and has_pictures(reader)


def as_folder(reader: PictureSource) -> FolderSource | None:
    """Return a reader that lists a folder, which knows what it skipped; None for any other."""
    listed = reader.source if isinstance(reader, Guarded) else reader
    return listed if isinstance(listed, FolderSource) else None


def with_folders(pictures: Iterable[Picture], folders: set[Path]) -> Iterator[Picture]:
    """Yield the pictures of a list; add the real folders of those that are files to `folders`."""
    real: dict[Path, Path] = {}
    for picture in pictures:
        if picture.address is None and picture.problem is None:
            parent = picture.path.parent
            if picture.path.is_symlink():
                folders.add(Path(os.path.realpath(picture.path)).parent)
            elif parent not in real:
                real[parent] = Path(os.path.realpath(parent))
                folders.add(real[parent])
        yield picture


def row_stamps(reader: PictureSource) -> Iterator[tuple[str, SidecarFile]]:
    """Yield the rows of tables in a folder that was scanned; see `FolderImages.row_stamps`."""
    listed = reader.source if isinstance(reader, Guarded) else reader
    return listed.row_stamps() if isinstance(listed, FolderImages | FolderFiles) else iter(())


def check_has_pictures(path: Path, limits: FetchLimits | None, exclude: Sequence[str]) -> None:
    """Raise InputError for a source without pictures, with what it has instead."""
    reader = open_source(path, limits=limits, exclude=exclude)
    if next(reader.find(), None) is not None:
        return
    folder = as_folder(reader)
    skipped = folder.skipped.examples() if folder is not None else ()
    raise InputError(
        expected=f"pictures ({_KINDS}) in {path}",
        got=", ".join(describe_skipped(skipped)) or "none",
        hint=install_hint(skipped) or None,
    )


def get_or_create(database: Database, kind: str, path: Path) -> Source:
    """Return the source; a missing one is added in a commit of its own."""
    for source in database.sources.all():
        if (source.kind, source.path) == (kind, path):
            return source
    with database.transaction():
        return database.sources.get_or_create(kind, path)


def source_of(database: Database, file: Path) -> tuple[Source, PictureSource]:
    """Return the indexed folder that lists a file, or a source of single files, with only that file."""
    path = absolute_path(file)
    source, within = _folder_of(database, path)
    status = path.stat()
    pictures = [Picture(source.path, within, status.st_size, status.st_mtime_ns)]
    if source.kind == FOLDER:
        return source, FolderFiles(source.kind, source.path, pictures)
    return source, PlainFiles(source.kind, source.path, lambda: pictures)


def _folder_of(database: Database, path: Path) -> tuple[Source, str]:
    selection = SourceSelection(database)
    for source in selection._folders():
        prefix = selection._prefix(path.parent, source)
        if prefix is None:
            continue
        exclusions = FolderSource(source.path, database.folders.exclusions(source.number)).exclusions
        if not exclusions.excludes(f"{prefix}{path.name}", is_folder=False):
            return source, f"{prefix}{path.name}"
    return get_or_create(database, FILES, path.parent), path.name


def has_pictures(reader: PictureSource) -> bool:
    """Return whether a source has any picture. It has none if its disk is not mounted."""
    try:
        return next(reader.find(), None) is not None
    except InputError:
        return False


def _has_entries(folder: Path) -> bool:
    """Return whether a folder is there and has anything in it."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _is_same(path: Path, other: Path) -> bool:
    """Return whether two paths are one folder, whatever their spelling."""
    try:
        return path == other or os.path.samefile(path, other)  # noqa: PTH121  (Path.samefile hides the other)
    except OSError:
        return False


def _single_files(database: Database, source: Source) -> Iterator[Picture]:
    """Yield the single files of a source that still exist."""
    for within in database.files.names(source):
        try:
            status = (source.path / within).stat()
        except OSError:
            continue
        yield Picture(source.path, within, status.st_size, status.st_mtime_ns)
