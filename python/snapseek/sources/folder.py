"""Pictures in a folder and the folders inside it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from snapseek.absolute_path import absolute_path
from snapseek.atomic_file import is_junction
from snapseek.errors import InputError
from snapseek.sources.picture import Picture

PICTURE_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".avif",
        ".heic",
        ".heif",
    }
)
_SKIPPED = frozenset({"@eaDir", "node_modules", "__pycache__"})


def find_pictures(folder: Path) -> Iterator[Picture]:
    """Return every file below `folder` with the suffix of a picture, sorted by name.

    Skipped are hidden names (a leading dot), `@eaDir`, `node_modules`, `__pycache__`, and links and
    junctions to folders. A folder or file that cannot be read becomes a Picture with a `problem`. Raises
    InputError if `folder` is not a folder.
    """
    root = absolute_path(folder)
    if not root.is_dir():
        raise InputError(
            expected="a folder with pictures", got=f"{'a file' if root.exists() else 'nothing'} at {folder}"
        )
    return _walk(root)


def is_picture_name(path: Path) -> bool:
    """Return whether a file has the suffix of a picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def is_skipped(name: str) -> bool:
    """Return whether files and folders of that name are skipped, with their content."""
    return name.startswith(".") or name in _SKIPPED


def _walk(root: Path) -> Iterator[Picture]:
    pending = [_list_folder(root, "")]
    while pending:
        found = next(pending[-1], None)
        if found is None:
            pending.pop()
        elif isinstance(found, Picture):
            yield found
        else:
            pending.append(_list_folder(root, found))


def _list_folder(root: Path, within: str) -> Iterator[Picture | str]:
    """Yield the pictures of one folder, and its subfolders as paths relative to `root`."""
    try:
        with os.scandir(root / within) as entries:
            found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield Picture(root, within or ".", problem=f"the folder cannot be read: {error.strerror}")
        return
    for entry in found:
        inside = f"{within}/{entry.name}" if within else entry.name
        if is_skipped(entry.name):
            continue
        if _is_subfolder(entry):
            yield inside
        elif is_picture_name(Path(entry.name)) and not _leads_to_folder(entry):
            yield _picture(root, inside, entry)


def _is_subfolder(entry: os.DirEntry[str]) -> bool:
    """Return whether the entry is a folder and no link, which may lead to a folder above it."""
    try:
        return entry.is_dir(follow_symlinks=False) and not is_junction(entry.stat(follow_symlinks=False))
    except OSError:  # it was removed meanwhile
        return False


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, which `_picture` reports
        return False


def _picture(root: Path, within: str, entry: os.DirEntry[str]) -> Picture:
    try:
        status = entry.stat()
    except OSError as error:
        return Picture(root, within, problem=f"the file cannot be read: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return Picture(root, within, problem="expected a regular file, got a device, pipe or socket")
    return Picture(root, within, status.st_size, status.st_mtime_ns)
