"""Sidecar files of a picture: `.txt` captions, `.json` of img2dataset, Google Takeout and exiftool, `.xmp`.

`sidecar_names` says which files of a folder these are. A sidecar that is damaged, too large or not a regular
file is skipped with a note.
"""

import json
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapseek.metadata import ImageMetadata
from snapseek.metadata.image_metadata import NO_METADATA
from snapseek.metadata.xmp import read_xmp
from snapseek.sources.fields.exiftool import entry_of_exiftool, read_exiftool
from snapseek.sources.fields.record_fields import metadata_in
from snapseek.sources.fields.sidecar_names import sidecars_of
from snapseek.sources.picture import SidecarFile, storable

MAX_SIDECAR_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The metadata in the sidecar files of a picture, and notes about files that could not be read."""

    metadata: ImageMetadata = NO_METADATA
    notes: tuple[str, ...] = ()


def read_sidecars(picture: Path, files: Iterable[SidecarFile] | None = None) -> Sidecar:
    """Read all sidecar files of a picture. A `.txt` file overrides JSON, which overrides XMP.

    `files` are those that were listed before; by default the folder of the picture is listed.
    """
    metadata, notes = NO_METADATA, []
    for file in sidecars_of(picture) if files is None else files:
        path = picture.with_name(file.name)
        reader = _READERS.get(path.suffix.lower())
        if reader is None:  # the row of a table
            continue
        try:
            data = _content(path)
            if data is not None:
                metadata = metadata.merged_with(reader(data, picture.name))
        except ValueError as error:
            notes.append(f"{path.name} was skipped: {error}")
    return Sidecar(metadata, tuple(notes))


def read_caption(data: bytes, name: str = "") -> ImageMetadata:
    """Return a `.txt` file as the caption. Raises ValueError if it is not text."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", "replace")
    else:
        text = data.decode("utf-8-sig", "replace")
    if "\0" in text:
        raise ValueError("expected text, got binary data")
    return ImageMetadata.of(caption=text)


def read_json(data: bytes, name: str = "") -> ImageMetadata:
    """Return the metadata in a JSON object, or in what exiftool writes. Raises ValueError if it is neither.

    `name` is the file name of the picture, which Takeout repeats as the title.
    """
    found = _parsed(data)
    if (entry := entry_of_exiftool(found, name)) is not None:
        return read_exiftool(entry)
    return metadata_in(_object(found), name=name, origin="json")


def read_url(data: bytes) -> dict[str, str]:
    """Return the `url` of a JSON object, if it has one. Raises ValueError if it is not an object."""
    url = _object(_parsed(data)).get("url")
    return {"url": storable(url)} if isinstance(url, str) else {}


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _object(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return found


def _read_xmp(data: bytes, name: str) -> ImageMetadata:
    return read_xmp(data)


_READERS: dict[str, Callable[[bytes, str], ImageMetadata]] = {
    ".txt": read_caption,
    ".json": read_json,
    ".xmp": _read_xmp,
}


def _is_within(path: Path, folder: Path) -> bool:
    """Return whether a path leads below a folder, after all links."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _content(path: Path) -> bytes | None:
    """Return the bytes of a regular file, None if there is none. Raises ValueError if it cannot be read."""
    if path.is_symlink() and not _is_within(path, path.parent):
        raise ValueError("it is a link that leads out of its folder")
    # Non-blocking, so that opening a named pipe cannot block the thread forever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > MAX_SIDECAR_BYTES:
            found, bound = status.st_size >> 10, MAX_SIDECAR_BYTES >> 10
            raise ValueError(f"it has {found} KiB, and at most {bound} are read")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_SIDECAR_BYTES)
    finally:
        os.close(descriptor)
