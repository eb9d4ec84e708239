"""What every source of pictures is. A new one is a file with such a class, and a line in `opening`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa

from snapseek.sources.picture import Picture

_Offered = TypeVar("_Offered")


class PictureSource(Protocol):
    """A place with pictures. It is looked through first, and then only what is new is read."""

    @property
    def kind(self) -> str:
        """What it is, in a word that stays: with it and the place the source is opened again."""

    @property
    def place(self) -> Path:
        """The file or folder; the `folder` of its pictures."""

    def find(self) -> Iterator[Picture]:
        """All pictures without their bytes, always in the same order, as cheaply as can be.

        What cannot be looked at comes with a `problem`. Raises InputError for a place of another kind.
        """

    def columns(self) -> pa.Schema:
        """The user's own columns; known when `find` has come to its end."""

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Some of the pictures that `find` gave, in that order, now with all that is known of them.

        They may come back in another order. One that cannot be read comes with a `problem`.
        """


class PlainFiles:
    """Pictures that are files of their own: nothing is left to read but what the decoder reads."""

    def __init__(self, kind: str, place: Path, pictures: Callable[[], Iterable[Picture]]) -> None:
        self.kind = kind
        self.place = place
        self._pictures = pictures

    def find(self) -> Iterator[Picture]:
        """As the protocol has it."""
        return iter(self._pictures())

    def columns(self) -> pa.Schema:
        """As the protocol has it: none."""
        return pa.schema([])

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """As the protocol has it: as they are."""
        return iter(pictures)


def matched(
    wanted: Iterable[Picture], offered: Iterable[_Offered], key: Callable[[_Offered], str]
) -> Iterator[tuple[Picture, _Offered | None]]:
    """Each wanted picture with what is offered under its key; both come in the same order.

    None for one that already has a problem, and for all from the first that is not offered any more.
    """
    left = iter(offered)
    for picture in wanted:
        if picture.problem is not None:
            yield picture, None
            continue
        yield picture, next((item for item in left if key(item) == picture.within), None)


def changed(picture: Picture) -> Picture:
    """The picture that is not where it was a moment ago."""
    if picture.problem is not None:
        return picture
    return replace(picture, problem=f"{picture.folder.name} was changed while it was read; index it again")
