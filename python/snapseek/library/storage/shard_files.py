"""The files in `shards/` that the library wrote, and the removal of those that no shard needs any more.

A stem is recorded and committed before the first file of a new shard is created, and each file, by its inode,
right after it was created. The commit that drops a shard records its stem. Only files of recorded stems are
removed: the recorded files themselves, or files whose first bytes prove that the library wrote them. So a new
database removes nothing, and foreign files stay. A record ends when its shard is committed, or when its files
are gone.
"""

import os
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from snapseek.errors import StorageError
from snapseek.library.storage.database import Database
from snapseek.library.storage.owned_file_table import FileIdentity
from snapseek.library.storage.owned_files import OwnedDirectory, check_directory
from snapseek.library.storage.schema import DRAFT, DROPPED, SHARDS
from snapseek.malloc import bound_malloc

_STEM_LENGTH = 16
_NAME = re.compile(
    r"\.?(?P<stem>[0-9a-f]{16})\."
    r"(?P<kind>snap|arrow|f16\.tmp|arrow\.tmp|snap\.\d+-[0-9A-Za-z]+\.tmp|\d+\.facet(?:\.[0-9a-f]{16}\.tmp)?)"
)
_MAGIC = {"snap": b"\x89SNAP\r\n\x1a", "arrow": b"ARROW1", "facet": b"SNAPFACE"}
"""The first bytes of the files of a finished shard."""


class ShardFiles:
    """The shards' files of a library that this process writes."""

    def __init__(self, database: Database, library: Path) -> None:
        """`database` is open for writing. Raises StorageError if `shards` is a link or no directory."""
        self._database = database
        self.directory = library / SHARDS
        self._inodes: dict[str, int] = {}
        """Of the files that this process created, by name: a full disk may have refused to record them."""

        with suppress(FileNotFoundError):
            self.directory.lstat()
            check_directory(self.directory)

    def new_stem(self) -> str:
        """Return an unused stem for the files of a new shard, recorded as ours.

        Raises StorageError if the disk refuses.
        """
        try:
            self.directory.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot create {self.directory}: {error.strerror}") from error
        taken = {stem for _, stem, _ in self._files()}
        while (stem := secrets.token_hex(8)) in taken:
            pass
        try:
            self._database.owned_files.add_stem(stem)
        except sqlite3.DatabaseError as error:
            raise StorageError(f"cannot write in {self.directory.parent}: {error}") from error
        self._database.owned_files.drafts.add(stem)
        return stem

    def record(self, stem: str, *suffixes: str, is_finished: bool = False) -> None:
        """Record files of a draft: just created, or with `is_finished` complete and not written again.

        Raises StorageError if the disk refuses.
        """
        try:
            names = [f"{stem}.{suffix}" for suffix in suffixes]
            process = os.getpid()  # is in the name of an index that is being built
            files: dict[str, FileIdentity] = {str(process): (process, None, None)}
            for name in names:
                inode, size_bytes, modified_ns = _identity((self.directory / name).lstat())
                files[name] = (inode, size_bytes, modified_ns) if is_finished else (inode, None, None)
                self._inodes[name] = inode
            self._database.owned_files.add_files(stem, files)
        except (OSError, sqlite3.DatabaseError) as error:
            raise StorageError(f"cannot write in {self.directory.parent}: {error}") from error

    def remove_draft(self, stem: str) -> None:
        """Remove the files of an unfinished shard. What cannot be removed now stays recorded."""
        self._database.owned_files.drafts.discard(stem)
        self._remove({stem: DRAFT})

    def remove_spool(self, stem: str) -> None:
        """Remove the spool files of a draft."""
        with OwnedDirectory(self.directory) as directory:
            for suffix in ("f16.tmp", "arrow.tmp"):
                directory.remove(f"{stem}.{suffix}")

    def release(self, stem: str) -> None:
        """End a draft. Its files are removed later unless a commit adds the shard."""
        self._database.owned_files.drafts.discard(stem)

    def remove_stray(self) -> None:
        """Remove the files of dropped shards, and of interrupted drafts."""
        recorded = self._database.owned_files.stems()
        self._remove(
            {stem: state for stem, state in recorded.items() if stem not in self._database.owned_files.drafts}
        )

    def _remove(self, stems: dict[str, str]) -> None:
        """Remove the files of these stems that are provably ours."""
        if not stems:
            return
        remaining = set()
        if self.directory.exists():
            with OwnedDirectory(self.directory) as directory:
                for name, stem, kind in _ours(directory.names()):
                    if stem not in stems:
                        continue
                    status = directory.status(name)
                    is_ours = status is not None and self._is_ours(directory, name, kind, stems[stem])
                    if not (is_ours and directory.remove(name, status)):
                        remaining.add(stem)
        with suppress(sqlite3.OperationalError):  # a full disk: the next writer removes the records
            self._database.owned_files.remove_stems(stems.keys() - remaining)

    def _is_ours(self, directory: OwnedDirectory, name: str, kind: str, state: str) -> bool:
        """Return whether the library created the file of that name.

        It is the recorded file; or this process created it and could not record it; or, as in a copied
        library, it begins as a file of a finished shard does; or it is empty, because the process was killed
        before it recorded the file.
        """
        status = directory.status(name)
        if status is None:
            return False
        recorded = self._database.owned_files.files_of(name.lstrip(".")[:_STEM_LENGTH])
        if name in recorded:
            is_same = recorded[name] in (_identity(status), (_identity(status)[0], None, None))
            return is_same or (state == DROPPED and _has_our_magic(directory, name, kind))
        if self._inodes.get(name) == _identity(status)[0]:
            return True
        if state == DRAFT and kind.startswith("snap."):
            return kind.split(".")[1].partition("-")[0] in recorded
        if state == DRAFT and not recorded and status.st_size == 0:
            return True
        is_index = kind == "snap" and state == DRAFT
        is_derived = "facet" in kind.split(".")
        return (state == DROPPED or is_index or is_derived) and _has_our_magic(directory, name, kind)

    def _files(self) -> Iterator[tuple[str, str, str]]:
        with OwnedDirectory(self.directory) as directory:
            yield from _ours(directory.names())


def _ours(names: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield name, stem and kind of the files whose names fit our pattern."""
    for name in names:
        if (match := _NAME.fullmatch(name)) is not None:
            yield name, match["stem"], match["kind"]


def _has_our_magic(directory: OwnedDirectory, name: str, kind: str) -> bool:
    magic = next((_MAGIC[part] for part in kind.split(".") if part in _MAGIC), None)
    return magic is not None and directory.first_bytes(name, len(magic)) == magic


def _identity(status: os.stat_result) -> FileIdentity:
    """Return inode, size and modification time as signed 64-bit numbers, which SQLite can store.

    File systems of Windows may have inodes of 128 bits: the lower half is taken.
    """
    inode = (status.st_ino + (1 << 63)) % (1 << 64) - (1 << 63)
    return inode, status.st_size, status.st_mtime_ns


def unknown_files(database: Database, library: Path) -> list[Path]:
    """Return the files in `shards/` that belong to no shard and are not recorded as ours, by name."""
    directory = library / SHARDS
    if not directory.exists():
        return []
    known = {row.stem for row in database.shards.all()} | database.owned_files.stems().keys()
    known |= set(database.upgrade.shards().values())
    with OwnedDirectory(directory) as opened:
        names = opened.names()
    ours = {name for name, stem, _ in _ours(names) if stem in known}
    return [directory / name for name in sorted(names) if name not in ours]


def check_inside(library: Path) -> None:
    """Raise StorageError if the directory of the shards is a link out of the library."""
    directory = library / SHARDS
    if directory.is_symlink() and not directory.resolve().is_relative_to(library.resolve()):
        raise StorageError(
            expected=f"{directory} to be a directory of the library",
            got=f"a link to {directory.resolve()}",
            hint="nothing is read there: replace the link by the shards, or use another library",
        )


@contextmanager
def exclusive_writer(library: Path) -> Iterator[Database]:
    """Open the database of `library` for writing, without the stray files of a killed writer.

    Here every index begins, so the memory of its pictures is bounded from here on.

    Raises as `Database.open_for_writing` does.
    """
    bound_malloc()
    with Database.open_for_writing(library) as database:
        remove_stray_files(database, library)
        try:
            yield database
        finally:
            database.owned_files.drafts.clear()
            with suppress(
                sqlite3.DatabaseError, StorageError
            ):  # the commit holds; the next writer tries again
                remove_stray_files(database, library)


def remove_stray_files(database: Database, library: Path) -> None:
    """Remove our files of shards that were dropped or never finished."""
    ShardFiles(database, library).remove_stray()
