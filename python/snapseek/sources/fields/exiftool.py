"""Metadata in the JSON that `exiftool -json` writes, with names of fields from any group of tags."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from snapseek.metadata import ImageMetadata
from snapseek.metadata.degrees import parse_degrees
from snapseek.metadata.exif_texts import text_of_people
from snapseek.metadata.image_metadata import parse_date
from snapseek.metadata.xmp import levels_of

_TITLES = ("Title", "ObjectName", "XPTitle", "Headline")
_CAPTIONS = ("Description", "Caption-Abstract", "ImageDescription", "UserComment", "XPComment", "Comment")
_TIMES = ("SubSecDateTimeOriginal", "DateTimeOriginal", "DateCreated", "CreateDate", "DateTimeDigitized")
_ZONES = ("OffsetTimeOriginal", "OffsetTime", "OffsetTimeDigitized")
_TAGS = ("Subject", "Keywords", "PersonInImage", "RegionName", "RegionPersonDisplayName")
_SPLIT_TAGS = {"HierarchicalSubject": "|", "TagsList": "/", "LastKeywordXMP": "/", "XPKeywords": ";"}
_MARKS = ("SourceFile", "ExifToolVersion")
_BASENAME = re.compile(r"[^/\\]*\Z")


def entry_of_exiftool(found: object, name: str) -> Mapping[str, Any] | None:
    """Return the entry of a picture in parsed JSON of exiftool, None if that is other JSON.

    `name` is the file name of the picture. An only entry may have any name.
    """
    entries = found if isinstance(found, list) else [found]
    own = [entry for entry in entries if isinstance(entry, dict) and any(mark in entry for mark in _MARKS)]
    named = (entry for entry in own if _BASENAME.search(str(entry.get("SourceFile")))[0] == name)  # type: ignore[index]
    return next(named, own[0] if len(own) == 1 else None)


def read_exiftool(entry: Mapping[str, Any]) -> ImageMetadata:
    """Return the metadata in one entry of exiftool."""
    fields = _without_groups(entry)
    return ImageMetadata.of(
        taken=_taken(fields),
        taken_from="json",
        rating=fields.get("Rating"),
        camera=_camera(fields),
        location=_location(fields),
        title=next(_texts(fields, _TITLES), None),
        caption=next((text for text in _texts(fields, _CAPTIONS) if text_of_people(text)), None),
        tags=_tags(fields),
    )


def _without_groups(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields by their names, without the group as in `EXIF:Make`. Composite fields count first."""
    fields: dict[str, Any] = {}
    for key, value in entry.items():
        group, _, name = key.rpartition(":")
        if group == "Composite" or name not in fields:
            fields[name] = value
    return fields


def _texts(fields: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        value = fields.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip():
            yield value


def _taken(fields: Mapping[str, Any]) -> datetime | None:
    zones = [*_texts(fields, _ZONES), ""]
    for text in _texts(fields, _TIMES):
        for stamp in [text] if parse_date(text) and _has_zone(text) else [f"{text}{zone}" for zone in zones]:
            if (when := parse_date(stamp)) is not None:
                return when
    return parse_date(fields.get("GPSDateTime"))


def _has_zone(text: str) -> bool:
    when = parse_date(text)
    return when is not None and when.tzinfo is not None


def _camera(fields: Mapping[str, Any]) -> str | None:
    make, model = (next(iter(_texts(fields, [name])), "").strip() for name in ("Make", "Model"))
    if make and model.casefold().startswith(make.split()[0].casefold()):
        make = ""
    return f"{make} {model}".strip() or None


def _location(fields: Mapping[str, Any]) -> tuple[float, float] | None:
    latitude, longitude = (
        parse_degrees(_number_or_text(fields.get(name)), fields.get(f"{name}Ref"))
        for name in ("GPSLatitude", "GPSLongitude")
    )
    return None if latitude is None or longitude is None else (latitude, longitude)


def _number_or_text(value: object) -> object:
    return value.replace("deg", "°") if isinstance(value, str) else value


def _tags(fields: Mapping[str, Any]) -> list[str]:
    """Return the tags. A field has one value or a list; exiftool writes a tag of digits as a number."""
    tags = [text for name in _TAGS for text in _values(fields.get(name))]
    for name, separator in _SPLIT_TAGS.items():
        tags += [level for text in _values(fields.get(name)) for level in levels_of(text, separator)]
    return tags


def _values(value: object) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    return [str(entry) for entry in entries if isinstance(entry, str | int | float)]
