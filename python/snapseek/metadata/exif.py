"""Read EXIF, the metadata of the camera. Tag numbers are those of CIPA DC-008 (Exif 2.32)."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from PIL import Image

from snapseek.metadata.image_metadata import ImageMetadata, parse_date

_EXIF, _GPS = 0x8769, 0x8825
_MAKE, _MODEL, _DATE = 0x010F, 0x0110, 0x0132
_XP_TITLE, _XP_COMMENT, _XP_KEYWORDS = 0x9C9B, 0x9C9C, 0x9C9E
# Tags of time, time zone and fraction of a second: of taking and of digitizing.
_TIMES = ((0x9003, 0x9011, 0x9291), (0x9004, 0x9012, 0x9292))
_DATE_ZONE = 0x9010
_NOT_MODELS = frozenset({"", "unknown", "none", "n/a"})

Tags = Mapping[int, Any]


def read_exif(exif: Image.Exif) -> ImageMetadata:
    """Return the metadata in EXIF; damaged fields are skipped."""
    main, details, gps = dict(exif), _directory(exif, _EXIF), _directory(exif, _GPS)
    return ImageMetadata.of(
        taken=_taken(main, details),
        camera=_camera(main),
        location=_location(gps),
        title=_wide(main.get(_XP_TITLE)),
        caption=_wide(main.get(_XP_COMMENT)),
        tags=(_wide(main.get(_XP_KEYWORDS)) or "").split(";"),
    )


def _directory(exif: Image.Exif, number: int) -> Tags:
    try:
        return dict(exif.get_ifd(number))
    except Exception:  # a wrong offset raises any error
        return {}


def _taken(main: Tags, details: Tags) -> datetime | None:
    for time, zone, fraction in _TIMES:
        if found := parse_date(_stamp(details.get(time), details.get(fraction), details.get(zone))):
            return found
    return parse_date(_stamp(main.get(_DATE), None, details.get(_DATE_ZONE)))


def _stamp(time: object, fraction: object, zone: object) -> str | None:
    """Join time, fraction and zone to one text; an invalid fraction or zone is skipped."""
    text, part, offset = _text(time), _text(fraction), _text(zone)
    if not text:
        return None
    part = f".{part}" if part.isdecimal() and len(part) < 10 else ""
    with_zone = f"{text}{part}{offset}"
    return with_zone if parse_date(with_zone) else text


def _camera(main: Tags) -> str | None:
    """Return make and model as one name; the model often starts with the make already."""
    make, model = _text(main.get(_MAKE)), _text(main.get(_MODEL))
    if model.casefold() in _NOT_MODELS:
        model = ""
    if make.casefold() in _NOT_MODELS or (make and model.casefold().startswith(make.split()[0].casefold())):
        make = ""
    return f"{make} {model}".strip() or None


def _location(gps: Tags) -> tuple[float, float] | None:
    latitude, longitude = _degrees(gps.get(2)), _degrees(gps.get(4))
    if latitude is None or longitude is None:
        return None
    south, west = _text(gps.get(1)).upper() == "S", _text(gps.get(3)).upper() == "W"
    return (-latitude if south else latitude), (-longitude if west else longitude)


def _degrees(value: object) -> float | None:
    """Return degrees from [degrees, minutes, seconds]; minutes and seconds are optional."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not 1 <= len(value) <= 3:
        return None
    try:
        parts = [float(part) for part in value]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    total = sum(part / 60**index for index, part in enumerate(parts))
    return total if math.isfinite(total) else None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value.partition("\0")[0].strip() if isinstance(value, str) else ""


def _wide(value: object) -> str | None:
    """Return a text of the XP tags, which Windows writes in UTF-16."""
    if isinstance(value, tuple) and all(isinstance(entry, int) and 0 <= entry < 256 for entry in value):
        value = bytes(value)
    return value.decode("utf-16-le", "replace").partition("\0")[0] if isinstance(value, bytes) else None
