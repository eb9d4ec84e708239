"""What `Library.build` indexes: folders and other sources, files, and pictures and tables in memory.

What is in memory becomes a file in the folder `tables` of the library, because pictures are read again: by an
upgrade to another model, and to show an original. Another call with pictures, with a table of addresses, or
with a table of vectors replaces the file of the one before, as a folder has other files at the next sync.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from snapseek.errors import InputError, MissingArgumentError
from snapseek.file_kinds import is_picture_name
from snapseek.library.indexing.memory_tables import Table, VectorTable, as_table, write_pictures
from snapseek.library.paths import library_of

Source = str | Path
Buildable = Source | Image.Image | pa.Table | Iterable[Source] | Iterable[Image.Image] | Any
"""A path, PIL picture or table, or several paths or pictures; a table is anything that Arrow can read."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of a library, sorted by what they are."""

    folders: list[Path] = field(default_factory=list)
    """Folders, archives, tables and lists."""
    files: list[Path] = field(default_factory=list)
    """Single files of pictures."""
    pictures: Iterator[Image.Image] | None = None
    table: Table | None = None

    @classmethod
    def of(cls, items: Buildable) -> "Inputs":
        """Sort what a caller passed. Raises InputError for what is none of it, and MissingArgumentError."""
        if isinstance(items, str | os.PathLike):
            return cls._of_paths([items])
        if isinstance(items, Image.Image):
            return cls(pictures=iter([items]))
        if (table := as_table(items)) is not None:
            return cls(table=table)
        if isinstance(items, bytes) or not isinstance(items, Iterable):
            raise _no_input(items)
        iterator = iter(items)
        first = next(iterator, None)
        if isinstance(first, Image.Image):
            return cls(pictures=_pictures(chain([first], iterator)))
        return cls._of_paths([] if first is None else [first, *iterator])

    @classmethod
    def _of_paths(cls, items: list[Any]) -> "Inputs":
        if not items or "" in items:
            got = "an empty text" if items else "none"
            raise MissingArgumentError(expected="the path of a folder", got=got)
        for item in items:
            if not isinstance(item, str | os.PathLike):
                raise _no_input(item)
        paths = [Path(os.fsdecode(item)) for item in items]
        is_file = [is_picture_name(path) and not path.is_dir() for path in paths]
        return cls(
            [path for path, is_picture in zip(paths, is_file, strict=True) if not is_picture],
            [path for path, is_picture in zip(paths, is_file, strict=True) if is_picture],
        )

    def library(self, path: Source | None) -> Path:
        """Return the directory of the library: `path`, by default the one inside a single folder."""
        if path is not None:
            if not isinstance(path, str | os.PathLike) or not os.fspath(path):
                raise MissingArgumentError(expected="the path of the library", got=f"{path!r:.60}")
            return Path(path)
        if len(self.folders) == 1 and not self.files:
            return library_of(self.folders[0])
        raise MissingArgumentError(
            expected="the path of the library, if not a single folder is indexed",
            got="none",
            hint='pass it as the second argument, such as "pictures.snapseek"',
        )

    def sources(self, library: Path) -> list[Path]:
        """Return the paths of the sources; pictures and a table with pictures or addresses are written."""
        if self.pictures is not None:
            return [write_pictures(self.pictures, library)]
        if self.table is not None:
            return [self.table.write(library)]
        return self.folders

    @property
    def has_vectors(self) -> bool:
        """Whether they are vectors, which are imported."""
        return isinstance(self.table, VectorTable)


def _pictures(items: Iterable[object]) -> Iterator[Image.Image]:
    for item in items:
        if not isinstance(item, Image.Image):
            raise InputError(
                expected="only PIL pictures in the list", got=f"{type(item).__name__} next to pictures"
            )
        yield item


def _no_input(item: object) -> InputError:
    return InputError(
        expected="paths, PIL pictures or a table (pandas, Arrow) to index", got=f"{type(item).__name__}"
    )
