"""Pictures in a folder and the folders inside it."""

import os
import stat
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from snapseek.absolute_path import absolute_path
from snapseek.atomic_file import is_junction
from snapseek.errors import InputError
from snapseek.file_kinds import (
    LIVE_PHOTO_SUFFIXES,
    PICTURE_SUFFIXES,
    RAW_SUFFIXES,
    is_picture_name,
    other_kind,
    suffix_of,
)
from snapseek.sources.exclusions import Exclusions, is_hidden
from snapseek.sources.picture import Picture

KIND = "folder"
HIDDEN, EXCLUDED, LINKED, PAIRED = "hidden", "excluded", "linked_folder", "paired"
_LIBRARY_SUFFIX = ".snapseek"

MAX_NAMES = 1000
"""Names of skipped files that are kept for each kind; the count covers all."""


_EXAMPLES = 3


@dataclass(frozen=True)
class SkippedKind:
    """Files or folders of one kind that were not read as pictures: how many, and the first of them."""

    kind: str
    count: int
    examples: tuple[str, ...] = ()


class Skipped:
    """Files and folders that a scan did not read as pictures: how many of each kind, and the first names."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.names: dict[str, list[str]] = {}

    def add(self, kind: str, within: str) -> None:
        """Count one file or folder."""
        self.counts[kind] += 1
        names = self.names.setdefault(kind, [])
        if len(names) < MAX_NAMES:
            names.append(within)

    def examples(self) -> tuple[SkippedKind, ...]:
        """Return each kind with its number and a few names."""
        return tuple(
            SkippedKind(kind, count, tuple(self.names[kind][:_EXAMPLES]))
            for kind, count in sorted(self.counts.items())
        )


class FolderSource:
    """The pictures below a folder.

    Attributes
    ----------
    path
        The folder.
    exclusions
        What is excluded besides what ignore files say.
    skipped, empty_folders, links
        Of the last scan, complete once `find` is exhausted: what was skipped; the folders without any visible
        entry; and the pictures that are links, each with the file that it leads to.
    """

    kind = KIND

    def __init__(self, path: Path, exclude: Sequence[str] = ()) -> None:
        self.path = absolute_path(path)
        self.exclusions = Exclusions.of(self.path, exclude)
        self._begin()

    def _begin(self) -> None:
        self.skipped = Skipped()
        self.empty_folders: list[str] = []
        self.links: list[tuple[str, Path]] = []

    def find(self) -> Iterator[Picture]:
        """Return every picture below the folder, sorted by name.

        Hidden and excluded names, links to folders, and other kinds of files are skipped. A folder or file
        that cannot be read becomes a Picture with a `problem`. Raises InputError if there is no folder.
        """
        if not self.path.is_dir():
            got = f"{'a file' if self.path.exists() else 'nothing'} at {self.path}"
            raise InputError(expected="a folder with pictures", got=got)
        self._begin()
        return self._walk()

    def columns(self) -> pa.Schema:
        """Return no columns."""
        return pa.schema([])

    def notes(self) -> tuple[str, ...]:
        """Return no notes."""
        return ()

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Return the pictures unchanged: the decoder opens the files."""
        return iter(pictures)

    def _walk(self) -> Iterator[Picture]:
        pending = [self._list_folder("", self.exclusions)]
        while pending:
            found = next(pending[-1], None)
            if found is None:
                pending.pop()
            elif isinstance(found, Picture):
                yield found
            else:
                pending.append(self._list_folder(*found))

    def _list_folder(self, within: str, outer: Exclusions) -> Iterator[Picture | tuple[str, Exclusions]]:
        """Yield the pictures of one folder, and its subfolders with the exclusions that hold there."""
        try:
            with os.scandir(self.path / within) as entries:
                found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
            exclusions = outer.within(self.path, within)
        except OSError as error:
            problem = f"the folder cannot be read: {error.strerror}"
            yield Picture(self.path, within or ".", problem=problem)
            return
        if all(is_hidden(entry.name) for entry in found):
            self.empty_folders.append(within)
        kept = [entry for entry in found if not self._is_excluded(entry, within, exclusions)]
        stills = {_stem(entry.name) for entry in kept if suffix_of(entry.name) in PICTURE_SUFFIXES}
        for entry in kept:
            inside = _join(within, entry.name)
            if _is_subfolder(entry):
                yield inside, exclusions
            elif (kind := _skipped_kind(entry, stills)) is not None:
                self.skipped.add(kind, inside)
            elif is_picture_name(entry.name):
                yield self._picture(inside, entry)

    def _is_excluded(self, entry: os.DirEntry[str], within: str, exclusions: Exclusions) -> bool:
        """Return whether an entry is excluded, and count it. Of hidden files only pictures are counted."""
        inside, name = _join(within, entry.name), entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if name.startswith(".") and name.endswith(_LIBRARY_SUFFIX):
            return True
        if not exclusions.excludes(inside, is_folder=is_folder):
            return False
        if not is_hidden(name):
            self.skipped.add(EXCLUDED, inside)
        elif is_folder or (is_picture_name(name) and not name.startswith("._")):
            self.skipped.add(HIDDEN, inside)
        return True

    def _picture(self, within: str, entry: os.DirEntry[str]) -> Picture:
        try:
            status = entry.stat()
            if entry.is_symlink():
                self.links.append((within, Path(os.path.realpath(entry.path))))
        except OSError as error:
            return Picture(self.path, within, problem=f"the file cannot be read: {error.strerror}")
        if not stat.S_ISREG(status.st_mode):
            problem = "expected a regular file, got a device, pipe or socket"
            return Picture(self.path, within, problem=problem)
        return Picture(self.path, within, status.st_size, status.st_mtime_ns)


def find_pictures(folder: Path) -> Iterator[Picture]:
    """Return every picture below `folder`, sorted by name; see `FolderSource.find`."""
    return FolderSource(folder).find()


def _skipped_kind(entry: os.DirEntry[str], stills: Container[str]) -> str | None:
    """Return why a file is not read as a picture; None for a picture, and for one that nobody expects."""
    suffix = suffix_of(entry.name)
    if _leads_to_folder(entry):
        return LINKED
    if suffix in RAW_SUFFIXES | LIVE_PHOTO_SUFFIXES and _stem(entry.name) in stills:
        return PAIRED
    return None if is_picture_name(entry.name) else other_kind(entry.name)


def _join(within: str, name: str) -> str:
    return f"{within}/{name}" if within else name


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].lower()  # noqa: PTH122


def _is_subfolder(entry: os.DirEntry[str]) -> bool:
    """Return whether the entry is a folder and no link, which may lead to a folder above it."""
    try:
        return entry.is_dir(follow_symlinks=False) and not is_junction(entry.stat(follow_symlinks=False))
    except OSError:  # it was removed meanwhile
        return False


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, which `_picture` reports
        return False
