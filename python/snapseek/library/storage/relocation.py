"""Find the folder of a library that was moved with it.

A library records absolute paths, and in `directory` where it was itself. If it lies inside one of its
folders and both were moved, every path at or below that folder is read as one of the new location. The
recorded paths stay as they are, so nothing is rewritten, however often the folder moves.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

INSIDE_FOLDER = ".snapseek"


@dataclass(frozen=True)
class Relocation:
    """The folder that contains the library: as its paths were recorded, and as it is now.

    Both are None for a library that is where it was.
    """

    recorded: Path | None = None
    current: Path | None = None

    def path(self, recorded: Path) -> Path:
        """Return where a recorded path is now."""
        return _moved(recorded, self.recorded, self.current)

    def recorded_path(self, current: Path) -> Path:
        """Return the path to record for one that is there now."""
        return _moved(current, self.current, self.recorded)

    def uri(self, recorded: str) -> str:
        """Return the URI that a recorded one has now."""
        return _moved_uri(recorded, self.recorded, self.current)

    def records(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Return records with the URIs that pictures have since their folder was moved."""
        index = records.schema.get_field_index("uri")
        uris = [self.uri(str(uri)) for uri in records.column(index).to_pylist()]
        return records.set_column(index, records.schema.field(index), pa.array(uris, pa.string()))

    def recorded_uri(self, current: str) -> str:
        """Return the URI to record for one that is valid now."""
        return _moved_uri(current, self.current, self.recorded)


NOT_MOVED = Relocation()


def find_relocation(
    directory: Path,
    recorded: str | None,
    folders: Iterable[Path],
    has_pictures: Callable[[Path, Path], bool],
) -> Relocation:
    """Return where the folder that contains the library was and is.

    Parameters
    ----------
    directory
        The library, as an absolute path.
    recorded
        Where it was when its paths were recorded; None for a library that did not record it.
    folders
        The recorded paths of its folders.
    has_pictures
        Whether pictures of a folder, named by its recorded path, are in another folder.
    """
    in_order = sorted(folders, key=lambda path: len(path.parts))
    directories = {
        folder: folder / INSIDE_FOLDER if recorded is None else Path(recorded) for folder in in_order
    }
    if recorded == os.fspath(directory) or directory in directories.values():
        return NOT_MOVED
    for folder, was in directories.items():
        if not was.is_relative_to(folder):
            continue
        inside = was.relative_to(folder).parts
        if not inside or directory.parts[-len(inside) :] != inside:
            continue
        current = Path(*directory.parts[: -len(inside)])
        if current != folder and has_pictures(folder, current):
            return Relocation(folder, current)
    return NOT_MOVED


def _moved(path: Path, old: Path | None, new: Path | None) -> Path:
    if old is None or new is None or not path.is_relative_to(old):
        return path
    return new / path.relative_to(old)


def _moved_uri(uri: str, old: Path | None, new: Path | None) -> str:
    if old is None or new is None:
        return uri
    scheme, separator, path = uri.partition("://")
    before, after = (folder.as_uri().partition("://")[2].rstrip("/") for folder in (old, new))
    if scheme not in ("file", "tar", "parquet") or not path.startswith(f"{before}/"):
        return uri
    return f"{scheme}{separator}{after}{path[len(before) :]}"
