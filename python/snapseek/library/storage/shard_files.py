"""Which files in `shards/` the library wrote itself, and the removal of those that no shard needs any more.

The record is in two tables of the database. A stem is recorded and committed before the first file of a new
shard is created, each file right after it was created (its inode), and the commit that drops a shard records
its stem in the same moment. Only files of recorded stems are ever removed, and of those only the very files
that were recorded, or such as are proved by what they begin with. So a new database removes nothing, and
whatever else lies there stays. A stem leaves the record when the commit of its shard names it, or when its
files are gone.
"""

import os
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from snapseek.errors import StorageError
from snapseek.library.storage.database import DRAFT, DROPPED, SHARDS, Database, FileIdentity
from snapseek.library.storage.owned_files import OwnedDirectory, check_directory

_STEM_LENGTH = 16
_NAME = re.compile(
    r"\.?(?P<stem>[0-9a-f]{16})\."
    r"(?P<kind>snap|arrow|f16\.tmp|arrow\.tmp|snap\.\d+-\d+\.tmp|\d+\.facet(?:\.[0-9a-f]{16}\.tmp)?)"
)
_BEGINNINGS = {"snap": b"\x89SNAP\r\n\x1a", "arrow": b"ARROW1", "facet": b"SNAPFACE"}
"""What the files of a finished shard begin with."""


class ShardFiles:
    """The files of the shards of a library that this process writes."""

    def __init__(self, catalogue: Database, library: Path) -> None:
        """`catalogue` is held by a writer. Raises StorageError when `shards` is a link or no directory."""
        self._catalogue = catalogue
        self.directory = library / SHARDS
        with suppress(FileNotFoundError):
            self.directory.lstat()
            check_directory(self.directory)

    def new_stem(self) -> str:
        """A stem for the files of a new shard, recorded as ours. Raises StorageError when the disk refuses.

        No file there has it yet.
        """
        try:
            self.directory.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {self.directory}: {error.strerror}") from error
        taken = {stem for _, stem, _ in self._files()}
        while (stem := secrets.token_hex(8)) in taken:
            pass
        try:
            self._catalogue.record_stem(stem)
        except sqlite3.DatabaseError as error:
            raise StorageError(f"cannot write in {self.directory.parent}: {error}") from error
        self._catalogue.drafts.add(stem)
        return stem

    def record(self, stem: str, *suffixes: str, is_finished: bool = False) -> None:
        """Record files of a draft that were created just now, or are finished and do not change any more.

        Raises StorageError when the disk refuses.
        """
        try:
            names = [f"{stem}.{suffix}" for suffix in suffixes]
            process = os.getpid()  # is in the name of an index that is being built
            files: dict[str, FileIdentity] = {str(process): (process, None, None)}
            for name in names:
                inode, size_bytes, modified_ns = _identity((self.directory / name).lstat())
                files[name] = (inode, size_bytes, modified_ns) if is_finished else (inode, None, None)
            self._catalogue.record_files(stem, files)
        except (OSError, sqlite3.DatabaseError) as error:
            raise StorageError(f"cannot write in {self.directory.parent}: {error}") from error

    def remove_draft(self, stem: str) -> None:
        """Remove the files of a shard that was not finished; what cannot be removed now stays recorded."""
        self._catalogue.drafts.discard(stem)
        self._remove({stem: DRAFT})

    def remove_stage(self, stem: str) -> None:
        """Remove the files in which the rows of a draft were staged."""
        with OwnedDirectory(self.directory) as directory:
            for suffix in ("f16.tmp", "arrow.tmp"):
                directory.remove(f"{stem}.{suffix}")

    def release(self, stem: str) -> None:
        """Say that a draft is finished, or given up: its files are removed later unless a commit names it."""
        self._catalogue.drafts.discard(stem)

    def sweep(self) -> None:
        """Remove the files of dropped shards, and of drafts that were stopped."""
        recorded = self._catalogue.recorded_stems()
        self._remove({stem: state for stem, state in recorded.items() if stem not in self._catalogue.drafts})

    def _remove(self, stems: dict[str, str]) -> None:
        """Remove all files of these stems that are proved to be ours."""
        if not stems:
            return
        left = set()
        if self.directory.exists():
            with OwnedDirectory(self.directory) as directory:
                for name, stem, kind in _ours(directory.names()):
                    if stem not in stems:
                        continue
                    status = directory.status(name)
                    is_ours = status is not None and self._is_ours(directory, name, kind, stems[stem])
                    if not (is_ours and directory.remove(name, status)):
                        left.add(stem)
        with suppress(sqlite3.OperationalError):  # a full disk: they are forgotten another time
            self._catalogue.forget_stems(stems.keys() - left)

    def _is_ours(self, directory: OwnedDirectory, name: str, kind: str, state: str) -> bool:
        """Whether we created a file whose name says so.

        It is the very file that was recorded; or one of a sound shard, or of a finished index, by how it
        begins, as in a library that was copied; or it is empty, where a stop came before the record.
        """
        status = directory.status(name)
        if status is None:
            return False
        recorded = self._catalogue.recorded_files(name.lstrip(".")[:_STEM_LENGTH])
        if name in recorded:
            is_same = recorded[name] in (_identity(status), (_identity(status)[0], None, None))
            return is_same or (state == DROPPED and _begins_as_written(directory, name, kind))
        if state == DRAFT and kind.startswith("snap."):
            return kind.split(".")[1].partition("-")[0] in recorded
        if state == DRAFT and not recorded and status.st_size == 0:
            return True
        is_index = kind == "snap" and state == DRAFT
        is_derived = "facet" in kind.split(".")
        return (state == DROPPED or is_index or is_derived) and _begins_as_written(directory, name, kind)

    def _files(self) -> Iterator[tuple[str, str, str]]:
        with OwnedDirectory(self.directory) as directory:
            yield from _ours(directory.names())


def _ours(names: list[str]) -> Iterator[tuple[str, str, str]]:
    """Name, stem and kind of the files whose names are of our pattern."""
    for name in names:
        if (match := _NAME.fullmatch(name)) is not None:
            yield name, match["stem"], match["kind"]


def _begins_as_written(directory: OwnedDirectory, name: str, kind: str) -> bool:
    beginning = next((_BEGINNINGS[part] for part in kind.split(".") if part in _BEGINNINGS), None)
    return beginning is not None and directory.first_bytes(name, len(beginning)) == beginning


def _identity(status: os.stat_result) -> FileIdentity:
    """Inode, size and time of change, as SQLite can hold them."""
    inode = status.st_ino - (1 << 64) if status.st_ino >= 1 << 63 else status.st_ino
    return inode, status.st_size, status.st_mtime_ns


def unknown_files(catalogue: Database, library: Path) -> list[Path]:
    """What lies in `shards/` that neither a shard nor the record of our own files names, in order of name."""
    directory = library / SHARDS
    if not directory.exists():
        return []
    known = {row.stem for row in catalogue.shards()} | catalogue.recorded_stems().keys()
    with OwnedDirectory(directory) as opened:
        names = opened.names()
    ours = {name for name, stem, _ in _ours(names) if stem in known}
    return [directory / name for name in sorted(names) if name not in ours]


def check_inside(library: Path) -> None:
    """Raise StorageError when the directory of the shards leads out of the library."""
    directory = library / SHARDS
    if directory.is_symlink() and not directory.resolve().is_relative_to(library.resolve()):
        raise StorageError(
            f"expected {directory} to be a directory of the library, found a link to {directory.resolve()}; "
            "nothing is read there: put the shards in its place, or use another library"
        )
