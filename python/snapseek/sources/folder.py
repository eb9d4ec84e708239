"""Pictures in a folder and the folders inside it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from snapseek.absolute_path import absolute_path
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
_PASSED_OVER = frozenset({"@eaDir", "node_modules", "__pycache__"})


def find_pictures(folder: Path) -> Iterator[Picture]:
    """Every file below `folder` that is named like a picture, in order of name.

    Left out: what is hidden (a leading dot), `@eaDir`, `node_modules`, and links to folders. A folder or file
    that cannot be read comes as a Picture with a `problem`. Raises InputError when `folder` is not a folder.
    """
    root = absolute_path(folder)
    if not root.is_dir():
        raise InputError(
            f"expected a folder with pictures, found {'a file' if root.exists() else 'nothing'} at {folder}"
        )
    return _walk(root)


def is_picture_name(path: Path) -> bool:
    """Whether a file is named like a picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def is_passed_over(name: str) -> bool:
    """Whether files and folders of that name are left out, with all that is in them."""
    return name.startswith(".") or name in _PASSED_OVER


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
    """What one folder holds: pictures, and folders to go into as their path inside `root`."""
    try:
        with os.scandir(root / within) as entries:
            found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield Picture(root, within or ".", problem=f"the folder cannot be read: {error.strerror}")
        return
    for entry in found:
        inside = f"{within}/{entry.name}" if within else entry.name
        if is_passed_over(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield inside
        elif is_picture_name(Path(entry.name)) and not _leads_to_folder(entry):
            yield _picture(root, inside, entry)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself: `_picture` tells
        return False


def _picture(root: Path, within: str, entry: os.DirEntry[str]) -> Picture:
    try:
        status = entry.stat()
    except OSError as error:
        return Picture(root, within, problem=f"the file cannot be read: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return Picture(root, within, problem="expected a regular file, found a device, pipe or socket")
    return Picture(root, within, status.st_size, status.st_mtime_ns)
