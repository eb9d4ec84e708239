"""The metadata of a picture, merged from all that tells it, and the columns of its record."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from snapseek.errors import PictureError
from snapseek.images import read_metadata
from snapseek.metadata import ImageMetadata
from snapseek.metadata.file_name_date import date_in_name
from snapseek.sources import Picture, read_sidecars


@dataclass(frozen=True)
class Description:
    """The metadata columns of a picture, None if its file cannot be read; and notes about its sidecars."""

    columns: dict[str, Any] | None
    notes: tuple[str, ...] = ()


def merged_metadata(name: str, *parts: ImageMetadata) -> ImageMetadata:
    """Return the metadata of `parts`, those that override first. The last resort is the date in the name."""
    metadata = parts[0]
    for part in parts[1:]:
        metadata = metadata.merged_with(part)
    return metadata if metadata.taken is not None else metadata.merged_with(date_in_name(name))


def metadata_columns(metadata: ImageMetadata) -> dict[str, Any]:
    """Return the columns of a record that tell metadata."""
    return {
        "caption": metadata.caption,
        "taken": metadata.taken,
        "taken_offset_minutes": metadata.taken_offset_minutes,
        "taken_from": metadata.taken_from,
        "rating": metadata.rating,
        "camera": metadata.camera,
        "latitude": metadata.latitude,
        "longitude": metadata.longitude,
        "tags": list(metadata.tags) or None,
        "title": metadata.title,
    }


def location_columns(picture: Picture) -> dict[str, Any]:
    """Return the columns of a record that tell where a file is and when it was written."""
    return {
        "uri": picture.uri,
        "name": picture.name,
        "folder": picture.parent,
        "modified": datetime.fromtimestamp(picture.modified_ns / 1e9, UTC) if picture.modified_ns else None,
    }


def describe(pictures: Sequence[Picture], threads: int) -> Iterator[Description]:
    """Yield the description of each picture file, in order. No pixels are decoded but those of PNG files.

    Metadata and columns that a source holds for a picture, which its `read` adds, are part of it.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="describe") as pool:
        yield from pool.map(_describe, pictures)


def _describe(picture: Picture) -> Description:
    if picture.problem is not None:
        return Description(None)
    try:
        embedded = read_metadata(picture.path)
    except PictureError:
        return Description(None)
    sidecar = read_sidecars(picture.path, picture.sidecars)
    metadata = merged_metadata(picture.name, picture.metadata, sidecar.metadata, embedded)
    return Description({**metadata_columns(metadata), **picture.columns}, sidecar.notes)
