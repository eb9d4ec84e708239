"""Where libraries lie when nobody says where."""

from pathlib import Path

from snapseek.errors import LibraryNotFoundError
from snapseek.library.storage.schema import FILE_NAME
from snapseek.user_dirs import data_dir

INSIDE_FOLDER = ".snapseek"
DEMO_PICTURES = Path(__file__).parents[1] / "demo" / "pictures"


def library_of(source: Path) -> Path:
    """The library that an index of `source` goes to: a hidden folder inside it, or beside what is a file."""
    return source.with_name(f"{source.name}{INSIDE_FOLDER}") if source.is_file() else source / INSIDE_FOLDER


def find_library(place: Path) -> Path:
    """The library at `place`, which is a library itself or a folder that was indexed.

    Raises LibraryNotFoundError when it is neither.
    """
    for path in (place, library_of(place)):
        if (path / FILE_NAME).is_file():
            return path
    raise LibraryNotFoundError(
        f"expected a library at {place}, found none; make one with: snapseek index FOLDER --library {place}"
    )


def demo_library() -> Path:
    """The library of the demo pictures, in the user's own data folder."""
    return data_dir() / "demo.snapseek"
