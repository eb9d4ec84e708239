"""Metadata in a table row or JSON object, by common field names."""

import ast
import json
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
_MAX_CAPTIONS = 20
_MAX_TAG_TEXT = 1 << 16
_LATITUDES, _LONGITUDES = ("latitude", "lat"), ("longitude", "lon", "lng")


def metadata_in(found: Mapping[str, Any], *, name: str = "", origin: str = "table") -> ImageMetadata:
    """Return the metadata in a record of img2dataset, Google Takeout or a user's table.

    Invalid values are skipped. `name` is the file name of the picture, which Takeout repeats as the title;
    `origin` says what the record is, for `taken_from`.
    """
    title = found.get("title")
    return ImageMetadata.of(
        taken=_taken(found),
        taken_from=origin,
        rating=found.get("rating"),
        location=_location(found),
        title=None if title == name else title,
        caption=_first(found, CAPTIONS),
        tags=_tags(found),
    )


def _first(found: Mapping[str, Any], names: tuple[str, ...]) -> object:
    texts = (_joined(found.get(name)) for name in names)
    return next((text for text in texts if text.strip()), None)


def _joined(value: object) -> str:
    """Return a text, or the texts of a list as one, as data sets with several captions of a picture have."""
    if isinstance(value, list | tuple):
        texts = [text.strip() for text in value[:_MAX_CAPTIONS] if isinstance(text, str)]
        return "; ".join(text for text in texts if text)
    return value if isinstance(value, str) else ""


def split_tags(text: str) -> list[object]:
    """Return the tags of a text: `["a", "b"]`, or separated by `;`, else by `|`, else by commas."""
    plain = text.strip()
    if plain[:1] == "[" and plain[-1:] == "]" and len(plain) <= _MAX_TAG_TEXT:
        for parse in (json.loads, ast.literal_eval):  # JSON, or what Python prints of a list
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                found = parse(plain)
                return [_tag(entry) for entry in found] if isinstance(found, list) else [plain]
        plain = plain[1:-1]
    separator = next((sign for sign in ";|," if sign in plain), ",")
    return list(plain.split(separator))


def _tag(entry: object) -> object:
    is_number = isinstance(entry, int | float) and not isinstance(entry, bool)
    return str(entry) if is_number else entry


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
    """Return tags from lists or texts, and the people that Takeout names."""
    tags: list[object] = []
    for name in _TAGS:
        value = found.get(name)
        tags += split_tags(value) if isinstance(value, str) else value if isinstance(value, list) else []
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
