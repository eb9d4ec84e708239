"""What lies beside a picture: `.txt` captions, `.json` of img2dataset and Google Takeout, `.xmp`.

For `cat.jpg` these are `cat.txt` or `cat.jpg.txt`, and so on; Takeout has names of its own. A sidecar that is
broken, too large or no ordinary file is a note, and the picture comes without it.
"""

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapseek.metadata import ImageMetadata
from snapseek.metadata.image_metadata import NOTHING
from snapseek.metadata.xmp import read_xmp
from snapseek.sources.fields.record_fields import metadata_in
from snapseek.sources.picture import storable

MAX_SIDECAR_BYTES = 1 << 20

_TAKEOUT_LETTERS = 46  # Takeout cuts the names of its files to at most this many before ".json"
_COPY = re.compile(r"(.*)(\(\d+\))(\.[^.]+)")  # "cat(1).jpg" is told of by "cat.jpg(1).json"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The facts that lie beside a picture, and what could not be read of them."""

    metadata: ImageMetadata = NOTHING
    notes: tuple[str, ...] = ()


def read_sidecars(picture: Path) -> Sidecar:
    """All that lies beside a picture; a caption of its own file first, then JSON, then XMP."""
    facts, notes = NOTHING, []
    for path, read in _candidates(picture):
        try:
            data = _content(path)
            if data is not None:
                facts = facts.merged_with(read(data, picture.name))
        except ValueError as error:
            notes.append(f"{path.name} was left out: {error}")
    return Sidecar(facts, tuple(notes))


def read_caption(data: bytes, name: str = "") -> ImageMetadata:
    """A `.txt` as the caption. Raises ValueError when it is no text."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", "replace")
    else:
        text = data.decode("utf-8-sig", "replace")
    if "\0" in text:
        raise ValueError("expected text, found bytes")
    return ImageMetadata.of(caption=text)


def read_json(data: bytes, name: str = "") -> ImageMetadata:
    """The facts in a JSON object by their usual names. Raises ValueError when it is none.

    `name` is the picture's: Takeout repeats it as the title.
    """
    return metadata_in(_object(data), name=name)


def read_url(data: bytes) -> dict[str, str]:
    """The `url` in a JSON object, where it has one. Raises ValueError when it is none."""
    url = _object(data).get("url")
    return {"url": storable(url)} if isinstance(url, str) else {}


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return found


def _read_xmp(data: bytes, name: str) -> ImageMetadata:
    return read_xmp(data)


_Reader = Callable[[bytes, str], ImageMetadata]


def _candidates(picture: Path) -> Iterator[tuple[Path, _Reader]]:
    """Where sidecars would be, in the order in which they count."""
    name, stem = picture.name, picture.stem
    takeout = f"{name}.supplemental-metadata"[:_TAKEOUT_LETTERS]
    jsons = [stem, name, name[:_TAKEOUT_LETTERS], takeout]
    if copy := _COPY.fullmatch(name):
        plain, number, suffix = copy.groups()
        jsons += [f"{plain}{suffix}{number}", f"{plain}{suffix}.supplemental-metadata{number}"]
    for reader, suffix, names in (
        (read_caption, ".txt", [stem, name]),
        (read_json, ".json", jsons),
        (_read_xmp, ".xmp", [stem, name]),
    ):
        for before in dict.fromkeys(names):
            yield picture.with_name(before + suffix), reader


def _content(path: Path) -> bytes | None:
    """The bytes of an ordinary file; None when there is none. Raises ValueError for one that is not read."""
    # Non-blocking, so that a named pipe put there cannot hold the thread for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return None
        if facts.st_size > MAX_SIDECAR_BYTES:
            found, bound = facts.st_size >> 10, MAX_SIDECAR_BYTES >> 10
            raise ValueError(f"it has {found} KiB, and at most {bound} are read")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_SIDECAR_BYTES)
    finally:
        os.close(descriptor)
