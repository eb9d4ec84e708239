"""What a library may make this machine read. A library from a stranger names paths that are not its own.

Without a word of the user a library reads below the folder that contains it, and nothing else: no link leads
out of that folder, and no hidden name below it is followed. Everything else was confirmed by this user (see
`confirmations`) or is allowed for this run.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from snapseek.errors import ItemNotFoundError
from snapseek.file_uri import local_path
from snapseek.library.storage.confirmations import NOTHING, Confirmed, confirmed_path, load_confirmed
from snapseek.library.storage.schema import FILES, FOLDER, IMPORT, URLS
from snapseek.library.storage.source_table import Source
from snapseek.sources.archive_uri import file_of, is_member
from snapseek.sources.picture import Picture
from snapseek.sources.source import PictureSource

CONFIRM_HINT = "confirm its folder with: snapseek add FOLDER --library L, or pass --allow-root FOLDER"


NOT_CONFIRMED = f"it is outside the folders that you have confirmed: {CONFIRM_HINT}"
"""Why a picture that a library names is not read."""


@dataclass(frozen=True)
class _Roots:
    """What was confirmed, with the real paths of its roots."""

    stamp: tuple[int, ...] | None
    confirmed: Confirmed
    paths: frozenset[Path]
    folders: frozenset[Path]


class Trust:
    """Decides for one library what may be read. Sees at once what another process confirms.

    Parameters
    ----------
    library
        The directory of the library.
    library_id
        Its id; None for a library of an earlier version.
    allowed
        What the user allows for this run, besides what is confirmed.
    """

    def __init__(self, library: Path, library_id: str | None, allowed: Confirmed = NOTHING) -> None:
        self._id = library_id
        self._library = library
        self._allowed = allowed
        home = _real(library).parent
        self.home = None if home == Path(home.anchor) else home
        """The folder that contains the library; None for the root of a disk, which contains everything."""
        self._roots = _Roots(None, allowed, _real_paths(allowed.roots), frozenset())
        self._confirmed_path = None if library_id is None else os.fspath(confirmed_path(library_id))

    def permits(self, path: Path) -> bool:
        """Return whether a file or folder may be read, after all links on the way to it."""
        try:
            real = _real(path)
        except (OSError, ValueError):  # such as a NUL in the name
            return False
        return self._is_named(real) or self._is_shown_at_home(real)

    def permits_file(self, path: Path) -> bool:
        """Return whether a file may be read: also one in a folder with pictures of a list that was named."""
        try:
            return self.permits(path) or _real(path).parent in self._current().folders
        except (OSError, ValueError):
            return False

    def names(self, path: Path) -> bool:
        """Return whether the user has confirmed a folder that contains `path`, or has allowed it."""
        try:
            return self._is_named(_real(path))
        except (OSError, ValueError):
            return False

    def allows_imported(self, path: Path) -> bool:
        """Return whether a file may be shown that the record of an imported picture names.

        Its author may be a stranger, so only folders count that the user allows for this run.
        """
        try:
            return _is_below(_real(path), _real_paths(self._allowed.roots))
        except (OSError, ValueError):
            return False

    @property
    def permits_urls(self) -> bool:
        """Whether originals on other machines may be shown and fetched."""
        return self._current().confirmed.urls

    def permits_model(self, model: str) -> bool:
        """Return whether the user has named this model for the library, or allows its folder for this run."""
        if model in self._current().confirmed.models:
            return True
        roots = _real_paths(self._allowed.roots)
        return os.path.isabs(model) and _is_below(_real(Path(model)), roots)  # noqa: PTH117

    def permits_source(self, source: Source) -> bool:
        """Return whether what a source names may be shown and read again."""
        if source.kind == IMPORT:
            return self.permits_urls
        if source.kind == FILES:  # single files of the folder
            folder = _real(source.path)
            return self.permits(source.path) or any(folder in path.parents for path in self._current().paths)
        if not self.permits(source.path) or (source.kind == URLS and not self.permits_urls):
            return False
        is_safe = self.names(source.path) or source.kind in (FOLDER, URLS)
        return is_safe or all(map(self.permits, _links(source.path)))

    def permits_picture(self, picture: Picture) -> bool:
        """Return whether a picture that a source lists may be read: links may lead out of its folder."""
        address = picture.address
        if address is None:
            return self.permits_file(picture.path)
        return self.permits(file_of(address)) if is_member(address) else self.permits_urls

    def is_at_home(self, path: Path) -> bool:
        """Return whether a path leads below the folder that contains the library."""
        return self.home is not None and _real(path).is_relative_to(self.home)

    def _is_named(self, real: Path) -> bool:
        return _is_below(real, self._current().paths)

    def _is_shown_at_home(self, real: Path) -> bool:
        if self.home is None or not real.is_relative_to(self.home):
            return False
        return not any(part.startswith(".") for part in real.relative_to(self.home).parts)

    def _current(self) -> _Roots:
        """Return what is confirmed now."""
        stamp = self._stamp()
        if stamp != self._roots.stamp:
            confirmed = self._allowed.with_more(load_confirmed(self._library, self._id))
            self._roots = _Roots(
                stamp, confirmed, _real_paths(confirmed.roots), _real_paths(confirmed.folders)
            )
        return self._roots

    def _stamp(self) -> tuple[int, ...] | None:
        if self._confirmed_path is None:
            return None
        try:
            status = os.stat(self._confirmed_path)  # noqa: PTH116 - a path for each search takes longer
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


class Guarded:
    """A source that the user has not named: its links lead only to what its library may read.

    A picture that may not be read stays as it is in the library, if `stamp_of` knows its size and time.
    """

    def __init__(
        self,
        source: PictureSource,
        trust: Trust,
        stamp_of: Callable[[str], tuple[int, int] | None],
    ) -> None:
        self.kind = source.kind
        self.path = source.path
        self.source = source
        """What is guarded."""
        self._trust = trust
        self._stamp_of = stamp_of
        self._checked: tuple[Path | str, bool] = ("", False)

    def find(self) -> Iterator[Picture]:
        """See `PictureSource.find`. A picture that may not be read has a problem."""
        for picture in self.source.find():
            if picture.problem is not None or self._permits(picture):
                yield picture
                continue
            size_bytes, modified_ns = self._stamp_of(picture.within) or (0, 0)
            yield replace(picture, problem=NOT_CONFIRMED, size_bytes=size_bytes, modified_ns=modified_ns)

    def _permits(self, picture: Picture) -> bool:
        """Return whether a picture may be read; checks the links to a folder or an archive once."""
        address = picture.address
        where = picture.path.parent if address is None else address.partition("!")[0]
        if address is None and picture.path.is_symlink():
            return self._trust.permits_picture(picture)
        if where != self._checked[0]:
            self._checked = (where, self._trust.permits_picture(picture))
        return self._checked[1]

    def columns(self) -> pa.Schema:
        """See `PictureSource.columns`."""
        return self.source.columns()

    def notes(self) -> tuple[str, ...]:
        """See `PictureSource.notes`."""
        return self.source.notes()

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """See `PictureSource.read`."""
        return self.source.read(pictures)


def _links(folder: Path) -> Iterator[Path]:
    """Yield the links among the archives and tables of a folder."""
    for pattern in ("*.tar", "*.parquet"):
        yield from (path for path in folder.rglob(pattern) if path.is_symlink())


def _is_below(real: Path, roots: frozenset[Path]) -> bool:
    return real in roots or not roots.isdisjoint(real.parents)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _real_paths(paths: Iterable[Path]) -> frozenset[Path]:
    return frozenset(map(_real, paths))


def not_confirmed(item: int) -> ItemNotFoundError:
    """Return the error for a picture whose original may not be shown."""
    return ItemNotFoundError(
        expected=f"the original of picture {item} in the folder that contains the library, or in one that "
        "you have confirmed",
        got="another place",
        hint=CONFIRM_HINT,
    )


def path_in(uri: str, item: int) -> Path:
    """Return the path of a `file://` URI. Raises ItemNotFoundError if it names no path of this machine."""
    if (path := local_path(uri)) is not None:
        return path
    raise ItemNotFoundError(
        expected=f"the path of a file as the original of picture {item}",
        got="something else in its record",
        hint="only its preview is left",
    )
