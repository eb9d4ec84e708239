"""Default paths of libraries."""

import os
from pathlib import Path

from snapseek.absolute_path import absolute_path
from snapseek.errors import InputError, LibraryNotFoundError
from snapseek.library.storage.relocation import INSIDE_FOLDER
from snapseek.library.storage.schema import FILE_NAME
from snapseek.user_dirs import data_dir

COLLECTION = "collection.json"
"""The usual name of the manifest of a collection."""

DEMO_PICTURES = Path(__file__).parents[1] / "demo" / "pictures"


def library_of(source: Path) -> Path:
    """Return the default library of a source: a hidden directory in the folder, or next to the file."""
    return source.with_name(f"{source.name}{INSIDE_FOLDER}") if source.is_file() else source / INSIDE_FOLDER


def source_of(library: Path) -> Path:
    """Return the folder whose default library this is; any other library itself."""
    return library.parent if library.name == INSIDE_FOLDER else library


def library_at(path: Path) -> Path | None:
    """Return the library at `path`: itself, or the one of an indexed folder; None if it is neither."""
    candidates = (path, library_of(path))
    return next((candidate for candidate in candidates if (candidate / FILE_NAME).is_file()), None)


def may_be_collection(path: object) -> bool:
    """Return whether a path names a `.json` file, or a directory with a `collection.json` and no library."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        return False
    named = Path(os.fsdecode(path))
    if not named.is_dir():
        return named.suffix == ".json"
    return (named / COLLECTION).is_file() and library_at(named) is None


def find_library(path: Path) -> Path:
    """Return the library at `path`: itself, or the one of an indexed folder.

    Raises LibraryNotFoundError if it is neither.
    """
    if (found := library_at(path)) is not None:
        return found
    if path.suffix == ".json":
        raise LibraryNotFoundError(
            expected=f"a library at {path}",
            got="a collection, which is only read, or another file",
            hint=f"name one of its partitions; list them with: snapseek collection info {path}",
        )
    raise LibraryNotFoundError(
        expected=f"a library at {path}",
        got="none",
        hint=f"create one with: snapseek index FOLDER --library {path}",
    )


def existing_library(path: object) -> Path:
    """Return the library at a path that a program passes: itself, or the one of an indexed folder.

    Raises LibraryNotFoundError if it is neither, and InputError for what is no path.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise InputError(
            expected="the path of a library or of an indexed folder",
            got="an empty text" if isinstance(path, str) else type(path).__name__,
        )
    named = Path(os.fsdecode(path))
    absolute_path(named)  # raises if the current directory is gone
    if (found := library_at(named)) is not None:
        return found
    target = library_of(named) if named.is_dir() else named
    raise LibraryNotFoundError(
        expected=f"a library at {named}",
        got="a folder without one" if named.is_dir() else "none",
        hint=f"create one with: Library.build(FOLDER, {str(target)!r}), or in a shell: "
        f"snapseek index FOLDER --library {target}",
    )


def find_library_above(path: Path) -> Path | None:
    """Return the library of the nearest folder above an existing one that is indexed.

    The search ends at the root of the file system, so it never leaves a disk.
    """
    folder = absolute_path(path)
    if not folder.is_dir():
        return None
    device = folder.stat().st_dev
    for above in folder.parents:
        if above.stat().st_dev != device:
            return None
        if (library_of(above) / FILE_NAME).is_file():
            return library_of(above)
    return None


def demo_library() -> Path:
    """Return the path of the demo library, in the data directory of the user."""
    return data_dir() / "demo.snapseek"
