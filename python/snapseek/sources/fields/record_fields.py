"""Metadata in a table row or JSON object, by common field names."""

import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Any

from snapseek.metadata import ImageMetadata
from snapseek.metadata.image_metadata import from_epoch, parse_date

CAPTIONS = ("caption", "description", "text", "alt", "alt_text", "top_caption")
TIMES = ("taken", "date_taken", "datetime_original", "DateTimeOriginal", "datetime", "date")

_TAGS = ("tags", "keywords")
_LATITUDES, _LONGITUDES = ("latitude", "lat"), ("longitude", "lon", "lng")


def metadata_in(found: Mapping[str, Any], *, name: str = "") -> ImageMetadata:
    """Return the metadata in a record of img2dataset, Google Takeout or a user's table.

    Invalid values are skipped. `name` is the file name of the picture, which Takeout repeats as the title.
    """
    title = found.get("title")
    return ImageMetadata.of(
        taken=_taken(found),
        location=_location(found),
        title=None if title == name else title,
        caption=_first(found, CAPTIONS),
        tags=_tags(found),
    )


def _first(found: Mapping[str, Any], names: tuple[str, ...]) -> object:
    texts = (found[name] for name in names if isinstance(found.get(name), str))
    return next((text for text in texts if text.strip()), None)


def _taken(found: Mapping[str, Any]) -> datetime | None:
    takeout = found.get("photoTakenTime")
    if isinstance(takeout, Mapping):
        return from_epoch(takeout.get("timestamp"))
    return next((when for name in TIMES if (when := _date(found.get(name)))), None)


def _date(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    return parse_date(value)


def _tags(found: Mapping[str, Any]) -> list[object]:
    """Return tags from lists or comma-separated texts, and the people that Takeout names."""
    tags: list[object] = []
    for name in _TAGS:
        value = found.get(name)
        tags += value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    people = found.get("people")
    for person in people if isinstance(people, list) else []:
        tags.append(person.get("name") if isinstance(person, Mapping) else None)
    return tags


def _location(found: Mapping[str, Any]) -> tuple[float, float] | None:
    for entry in (found, found.get("geoData"), found.get("geoDataExif")):
        if isinstance(entry, Mapping):
            latitude, longitude = _number(entry, _LATITUDES), _number(entry, _LONGITUDES)
            if math.isfinite(latitude) and math.isfinite(longitude) and (latitude, longitude) != (0, 0):
                return latitude, longitude
    return None


def _number(found: Mapping[str, Any], names: tuple[str, ...]) -> float:
    for name in names:
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            return float(found[name])
    return float("nan")
