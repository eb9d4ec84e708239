"""Read EXIF, the metadata of the camera. Tag numbers are those of CIPA DC-008 (Exif 2.32)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from PIL import Image

from snapseek.metadata.exif_texts import exif_text, text_of_people, user_comment, xp_text
from snapseek.metadata.image_metadata import ImageMetadata, parse_date

_EXIF, _GPS = 0x8769, 0x8825
_DESCRIPTION, _MAKE, _MODEL, _DATE = 0x010E, 0x010F, 0x0110, 0x0132
_XP_TITLE, _XP_COMMENT, _XP_KEYWORDS, _XP_SUBJECT = 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F
_USER_COMMENT = 0x9286
_RATING, _RATING_PERCENT = 0x4746, 0x4749
_ZONES = (_ZONE_ORIGINAL, _ZONE, _ZONE_DIGITIZED) = (0x9011, 0x9010, 0x9012)
# Tags of time, fraction of a second, and time zones by preference: of taking, of digitizing, of the last
# change. Programs such as Lightroom write the zone of one time only.
_TIMES = (
    (0x9003, 0x9291, _ZONES),
    (0x9004, 0x9292, (_ZONE_DIGITIZED, _ZONE, _ZONE_ORIGINAL)),
    (_DATE, 0x9290, (_ZONE, _ZONE_ORIGINAL, _ZONE_DIGITIZED)),
)
_MAIN_TAGS = frozenset(
    {_DESCRIPTION, _MAKE, _MODEL, _XP_TITLE, _XP_COMMENT, _XP_KEYWORDS, _XP_SUBJECT, _USER_COMMENT, _RATING}
    | {_RATING_PERCENT, *_ZONES, *(tag for time, fraction, _ in _TIMES for tag in (time, fraction))}
)
_GPS_TIME, _GPS_DATE = 7, 29
_NOT_MODELS = frozenset({"", "unknown", "none", "n/a"})

Tags = Mapping[int, Any]


def read_exif(exif: Image.Exif) -> ImageMetadata:
    """Return the metadata in EXIF; damaged fields are skipped."""
    main, details, gps = _main_tags(exif), _directory(exif, _EXIF), _directory(exif, _GPS)
    title = xp_text(main.get(_XP_TITLE))
    byte_order = getattr(exif, "endian", "<") or "<"
    return ImageMetadata.of(
        taken=_taken({**main, **details}) or _gps_time(gps),
        taken_from="exif",
        camera=_camera(main),
        location=_location(gps),
        title=title,
        caption=next(_captions(main, details, title, byte_order), None),
        tags=(xp_text(main.get(_XP_KEYWORDS)) or "").split(";"),
        rating=_rating(main),
    )


def _main_tags(exif: Image.Exif) -> Tags:
    """Return the tags of the main directory that are read here; others may be damaged in any way."""
    found = {}
    for tag in _MAIN_TAGS:
        with suppress(Exception):
            if (value := exif.get(tag)) is not None:
                found[tag] = value
    return found


def _directory(exif: Image.Exif, number: int) -> Tags:
    try:
        return dict(exif.get_ifd(number))
    except Exception:  # a wrong offset raises any error
        return {}


def _captions(main: Tags, details: Tags, title: str | None, byte_order: str) -> Iterator[str]:
    """Yield the texts of people, the best one first. Windows writes the title as the description as well."""
    comment = details.get(_USER_COMMENT, main.get(_USER_COMMENT))
    make, model = exif_text(main.get(_MAKE)), exif_text(main.get(_MODEL))
    texts = (
        exif_text(main.get(_DESCRIPTION)),
        user_comment(comment, byte_order),
        (xp_text(main.get(_XP_COMMENT)) or "").strip(),
        (xp_text(main.get(_XP_SUBJECT)) or "").strip(),
    )
    known = [text for text in texts if text_of_people(text, make, model, f"{make} {model}")]
    yield from (text for text in known if text != (title or "").strip())
    yield from known


def _taken(tags: Tags) -> datetime | None:
    for time, fraction, zones in _TIMES:
        stamps = [_stamp(tags.get(time), tags.get(fraction), tags.get(zone)) for zone in zones]
        found = [when for stamp in stamps if (when := parse_date(stamp))]
        if found:
            return next((when for when in found if when.tzinfo is not None), found[0])
    return None


def _stamp(time: object, fraction: object, zone: object) -> str | None:
    """Join time, fraction and zone to one text; an invalid fraction or zone is skipped."""
    text, part, offset = exif_text(time), exif_text(fraction), exif_text(zone)
    if not text:
        return None
    part = f".{part}" if part.isdecimal() and part.isascii() and len(part) < 10 else ""
    for stamp in (f"{text}{part}{offset}", f"{text}{part}", f"{text}{offset}"):
        if (when := parse_date(stamp)) and _is_zone(when):
            return stamp
    return text


def _is_zone(when: datetime) -> bool:
    return abs(when.utcoffset() or timedelta()) <= timedelta(hours=14)


def _gps_time(gps: Tags) -> datetime | None:
    """Return the time of the satellites, which is in UTC; the day alone if the time is damaged."""
    day = parse_date(exif_text(gps.get(_GPS_DATE)))
    if day is None:
        return None
    parts = _numbers(gps.get(_GPS_TIME))
    if parts is None or len(parts) != 3 or not all(math.isfinite(part) and 0 <= part <= 60 for part in parts):
        return day.replace(tzinfo=UTC)
    hours, minutes, seconds = parts
    return day.replace(tzinfo=UTC) + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _rating(main: Tags) -> object:
    """Return the stars, or those of the percentage that Windows writes: 1, 25, 50, 75 or 99."""
    if (stars := main.get(_RATING)) is not None:
        return stars
    percent = main.get(_RATING_PERCENT)
    return stars_of_percent(percent) if isinstance(percent, int) else None


def stars_of_percent(percent: int) -> int | None:
    """Return the stars of a rating in percent, None if it is not one."""
    return None if not 0 < percent <= 100 else 1 + min(4, (percent + 12) // 25)


def _camera(main: Tags) -> str | None:
    """Return make and model as one name; the model often starts with the make already."""
    make, model = exif_text(main.get(_MAKE)), exif_text(main.get(_MODEL))
    if model.casefold() in _NOT_MODELS:
        model = ""
    if make.casefold() in _NOT_MODELS or (make and model.casefold().startswith(make.split()[0].casefold())):
        make = ""
    return f"{make} {model}".strip() or None


def _location(gps: Tags) -> tuple[float, float] | None:
    latitude, longitude = _degrees(gps.get(2), gps.get(1)), _degrees(gps.get(4), gps.get(3))
    return None if latitude is None or longitude is None else (latitude, longitude)


def _degrees(value: object, reference: object) -> float | None:
    """Return degrees from [degrees, minutes, seconds]; minutes and seconds may lack, or be 0/0."""
    parts = _numbers(value)
    if parts is None or not 1 <= len(parts) <= 3 or not math.isfinite(parts[0]):
        return None
    known = [part if math.isfinite(part) or math.isinf(part) else 0.0 for part in parts]
    total = math.fsum(abs(part) / 60**index for index, part in enumerate(known))
    if not math.isfinite(total):
        return None
    letter = exif_text(reference)[:1].upper()
    is_negative = letter in ("S", "W") if letter in ("N", "E", "S", "W") else parts[0] < 0
    return -total if is_negative else total


def _numbers(value: object) -> list[float] | None:
    """Return rational numbers, of which 0/0 becomes NaN; None if they are something else."""
    if isinstance(value, str | bytes) or value is None:
        return None
    try:
        entries = value if isinstance(value, Sequence) else [value]
        return [_number(entry) for entry in entries]
    except (TypeError, ValueError, OverflowError):
        return None


def _number(entry: Any) -> float:
    try:
        return float(entry)
    except ZeroDivisionError:
        return math.nan
