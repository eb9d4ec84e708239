"""The interface of a source of pictures. A new source is such a class, and a line in `open`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa

from snapseek.sources.picture import Picture

_Offered = TypeVar("_Offered")


class PictureSource(Protocol):
    """A folder, archive, table or list with pictures.

    A caller lists all pictures with `find` first, and then reads the new ones with `read`.
    """

    @property
    def kind(self) -> str:
        """Stable name of the type of source; `reopen` takes it, with `path`."""

    @property
    def path(self) -> Path:
        """The file or folder, which is the `folder` of its pictures."""

    def find(self) -> Iterator[Picture]:
        """Return all pictures without their bytes, always in the same order.

        A picture that cannot be listed has a `problem`. Raises InputError if `path` is of another type.
        """

    def columns(self) -> pa.Schema:
        """Return the custom columns. They are complete once `find` is exhausted."""

    def notes(self) -> tuple[str, ...]:
        """Return sentences for the report: which values changed or were lost in `find` and `read`."""

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Return pictures that `find` returned, passed in the same order, with bytes and metadata.

        The result may be in another order. A picture that cannot be read has a `problem`.
        """


class PlainFiles:
    """Pictures that are files: `read` has nothing to add, because the decoder opens them."""

    def __init__(self, kind: str, path: Path, pictures: Callable[[], Iterable[Picture]]) -> None:
        self.kind = kind
        self.path = path
        self._pictures = pictures

    def find(self) -> Iterator[Picture]:
        """See `PictureSource.find`."""
        return iter(self._pictures())

    def columns(self) -> pa.Schema:
        """Return no columns."""
        return pa.schema([])

    def notes(self) -> tuple[str, ...]:
        """Return no notes."""
        return ()

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Return the pictures unchanged."""
        return iter(pictures)


def matched(
    wanted: Iterable[Picture], offered: Iterable[_Offered], key: Callable[[_Offered], str]
) -> Iterator[tuple[Picture, _Offered | None]]:
    """Yield each wanted picture with the offered item of the same key; both are in the same order.

    The item is None for a picture with a problem, and for all pictures after the first missing one.
    """
    remaining = iter(offered)
    for picture in wanted:
        if picture.problem is not None:
            yield picture, None
            continue
        yield picture, next((item for item in remaining if key(item) == picture.within), None)


def changed(picture: Picture) -> Picture:
    """Return the picture with the problem that it is no longer where `find` saw it."""
    if picture.problem is not None:
        return picture
    return replace(picture, problem=f"{picture.folder.name} changed while it was read; index it again")
