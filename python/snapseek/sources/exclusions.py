"""Which files and folders of a source are excluded, by the rules of gitignore.

Patterns come from three places. The first one with an opinion decides: the patterns of the source
(`--exclude`), then the `.snapseekignore` files from the deepest folder upwards, then the defaults. A pattern
that begins with `!` includes again.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from snapseek.errors import InputError
from snapseek.sources.picture import Picture
from snapseek.sources.source import PictureSource

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".snapseekignore"
MAX_IGNORE_FILE_BYTES = 1 << 20

DEFAULT_EXCLUSIONS = (
    # recycle bins and snapshots of NAS systems, Windows and Linux
    "\\#recycle",
    "@Recycle",
    "@Recently-Snapshot",
    "\\#snapshot",
    "@tmp",
    "@eaDir",
    "$RECYCLE.BIN",
    "RECYCLER",
    "System Volume Information",
    "lost+found",
    # what photo programs derive from originals
    "**/*.photoslibrary/*",
    "!**/*.photoslibrary/originals",
    "!**/*.photoslibrary/Masters",
    "**/*.photolibrary/*",
    "!**/*.photolibrary/Masters",
    "**/*.aplibrary/*",
    "!**/*.aplibrary/Masters",
    "**/*.migratedphotolibrary/*",
    "!**/*.migratedphotolibrary/Masters",
    "*.lrdata",
    "iPod Photo Cache",
    "**/CaptureOne/Cache",
    # what programmers have
    "node_modules",
    "__pycache__",
)
"""Folders that are excluded by default, in any combination of capitals. Hidden names are, too."""


@dataclass(frozen=True)
class Exclusions:
    """The patterns that hold in one folder of a source.

    Attributes
    ----------
    patterns
        The patterns of the source, which override all others.
    ignore_files
        The folder of each `.snapseekignore` with a trailing slash, relative to the source, and its rules,
        the deepest first.
    package
        The name of the source with a trailing slash, if it is a library of a photo program itself.
    """

    patterns: tuple[str, ...] = ()
    ignore_files: tuple[tuple[str, "GitIgnoreSpec"], ...] = ()
    package: str = ""

    @classmethod
    def of(cls, root: Path, patterns: Sequence[str]) -> "Exclusions":
        """Return the exclusions of a source. Raises InputError for a pattern that gitignore does not have."""
        package = f"{root.name}/" if root.name.lower().endswith("library") else ""
        return cls(checked_patterns(patterns), package=package)

    def within(self, root: Path, folder: str) -> "Exclusions":
        """Return the exclusions of the folder `folder` below `root`, with its own ignore file.

        Raises OSError if the ignore file cannot be read: what it excludes is not known then.
        """
        lines = _ignore_lines(root / folder / IGNORE_FILE)
        if not lines:
            return self
        prefix = f"{folder}/" if folder else ""
        return replace(self, ignore_files=((prefix, _tolerant_spec(lines)), *self.ignore_files))

    def excludes(self, path: str, *, is_folder: bool) -> bool:
        """Return whether a path relative to the source is excluded. Its parent folders are not."""
        marked = f"{path}/" if is_folder else path
        if self.patterns and (verdict := _spec(self.patterns).check_file(marked).include) is not None:
            return verdict
        for prefix, spec in self.ignore_files:
            if (verdict := spec.check_file(marked[len(prefix) :]).include) is not None:
                return verdict
        return is_hidden(path) or (is_folder and _by_default(self.package + marked))

    def excludes_below(self, path: str) -> bool:
        """Return whether a folder or any of its parents is excluded."""
        parts = path.split("/")
        return any(
            self.excludes("/".join(parts[:count]), is_folder=True) for count in range(1, len(parts) + 1)
        )


class FilteredSource:
    """An archive, a table or a list without the pictures that patterns exclude.

    The patterns apply to the name inside the archive or table, and to the host and path of a URL.
    """

    def __init__(self, source: PictureSource, patterns: Sequence[str]) -> None:
        self.kind = source.kind
        self.path = source.path
        self.source = source
        """The source with all its pictures."""
        self._spec = _spec(checked_patterns(patterns))

    def find(self) -> Iterator[Picture]:
        """See `PictureSource.find`. What could not be listed as a whole stays, with its problem."""
        return (picture for picture in self.source.find() if not self._spec.match_file(picture.key_path))

    def columns(self) -> pa.Schema:
        """See `PictureSource.columns`."""
        return self.source.columns()

    def notes(self) -> tuple[str, ...]:
        """See `PictureSource.notes`."""
        return self.source.notes()

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """See `PictureSource.read`."""
        return self.source.read(pictures)


def is_hidden(path: str) -> bool:
    """Return whether the last part of a path begins with a dot."""
    return path.rpartition("/")[2].startswith(".")


def is_skipped(name: str) -> bool:
    """Return whether a file or folder of that name is excluded by default."""
    return Exclusions().excludes(name, is_folder=True)


def checked_patterns(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns; a leading # is part of a name. Raises InputError for an invalid one."""
    checked = tuple(f"\\{pattern}" if pattern.startswith("#") else pattern for pattern in patterns)
    for pattern in checked:
        try:
            is_rule = any(rule.include is not None for rule in _rules([pattern]).patterns)
        except ValueError:
            is_rule = False
        if not is_rule or "\0" in pattern:
            raise InputError(
                expected="a pattern such as 'drafts', '*.tif' or 'trip/raw/'",
                got=repr(pattern),
                hint="the rules are those of gitignore; a name that begins with ! is written as \\!",
            )
    return checked


def moved_into(pattern: str, folder: str) -> str:
    """Return the pattern of a folder as one of the source that contains the folder, with the same effect."""
    negation, rule = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    is_anchored = "/" in rule.rstrip("/")
    escaped = "".join(f"\\{letter}" if letter in "\\*?[ " else letter for letter in folder)
    return f"{negation}/{escaped}/{rule.lstrip('/')}" if is_anchored else f"{negation}/{escaped}/**/{rule}"


@lru_cache(maxsize=64)
def _spec(patterns: tuple[str, ...]) -> "GitIgnoreSpec":
    return _rules(patterns)


def _rules(lines: Sequence[str]) -> "GitIgnoreSpec":
    """Return the rules of these lines. Raises ValueError for one that is no rule."""
    from pathspec import GitIgnoreSpec  # here, because it takes 8 ms to import

    return GitIgnoreSpec.from_lines(lines)


@lru_cache(maxsize=4096)
def _by_default(folder: str) -> bool:
    return _spec(tuple(pattern.lower() for pattern in DEFAULT_EXCLUSIONS)).match_file(folder.lower())


def _tolerant_spec(lines: Sequence[str]) -> "GitIgnoreSpec":
    """Return the rules of an ignore file. A line that is not a rule has no effect, as in git."""
    valid = []
    for line in lines:
        try:
            _rules([line])
        except ValueError:
            continue
        valid.append(line)
    return _rules(valid)


def _ignore_lines(path: Path) -> list[str]:
    # Non-blocking, so that a named pipe of that name cannot block the scan.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return []
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return []
        data = file.read(MAX_IGNORE_FILE_BYTES + 1)
    if len(data) > MAX_IGNORE_FILE_BYTES:
        raise OSError(0, f"it has more than {MAX_IGNORE_FILE_BYTES >> 20} MiB")
    return data.decode("utf-8-sig", "surrogateescape").splitlines()
