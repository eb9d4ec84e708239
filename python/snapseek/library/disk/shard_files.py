"""Which files in `shards/` the library wrote itself, and the removal of those that no shard needs any more.

The record is a table of the database. A stem is recorded and committed before the first file of a new shard
is created, and the commit that drops a shard records its stem in the same moment. Only files of recorded
stems are ever removed, so a new database removes nothing, and neither does anything that happens to lie
there. A stem leaves the record when the commit of its shard names it, or when its files are gone.
"""

import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from snapseek.errors import StorageError
from snapseek.library.disk.catalogue import SHARDS, Catalogue
from snapseek.library.disk.owned_files import OwnedDirectory, check_directory

_NAME = re.compile(
    r"\.?(?P<stem>[0-9a-f]{16})\."
    r"(?P<kind>snap|arrow|f16\.tmp|arrow\.tmp|snap\.\d+-\d+\.tmp|\d+\.facet(?:\.[0-9a-f]{16}\.tmp)?)"
)
_BEGINNINGS = {"snap": b"\x89SNAP\r\n\x1a", "arrow": b"ARROW1", "facet": b"SNAPFACE"}
"""A committed shard was complete, so a file of its name that does not begin so is not the one we wrote."""


class ShardFiles:
    """The files of the shards of a library that this process writes."""

    def __init__(self, catalogue: Catalogue, library: Path) -> None:
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

    def remove_draft(self, stem: str) -> None:
        """Remove the files of a shard that was not finished; what cannot be removed now stays recorded."""
        self._catalogue.drafts.discard(stem)
        self._remove({stem: False})

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
        self._remove({stem: was for stem, was in recorded.items() if stem not in self._catalogue.drafts})

    def _remove(self, stems: dict[str, bool]) -> None:
        """Remove all files of these stems; True for those of shards that were committed."""
        if not stems:
            return
        left = set()
        if self.directory.exists():
            with OwnedDirectory(self.directory) as directory:
                for name, stem, kind in _ours(directory.names()):
                    if stem not in stems:
                        continue
                    is_ours = _is_as_written(directory, name, kind, was_committed=stems[stem])
                    if not (is_ours and directory.remove(name)):
                        left.add(stem)
        with suppress(sqlite3.OperationalError):  # a full disk: they are forgotten another time
            self._catalogue.forget_stems(stems.keys() - left)

    def _files(self) -> Iterator[tuple[str, str, str]]:
        with OwnedDirectory(self.directory) as directory:
            yield from _ours(directory.names())


def _ours(names: list[str]) -> Iterator[tuple[str, str, str]]:
    """Name, stem and kind of the files whose names are of our pattern."""
    for name in names:
        if (match := _NAME.fullmatch(name)) is not None:
            yield name, match["stem"], match["kind"]


def _is_as_written(directory: OwnedDirectory, name: str, kind: str, *, was_committed: bool) -> bool:
    """Whether the file begins as we write it; of a stopped draft it may be any part."""
    if not was_committed:
        return True
    beginning = next((_BEGINNINGS[part] for part in kind.split(".") if part in _BEGINNINGS), None)
    return beginning is not None and directory.first_bytes(name, len(beginning)) == beginning


def unknown_files(catalogue: Catalogue, library: Path) -> list[Path]:
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
