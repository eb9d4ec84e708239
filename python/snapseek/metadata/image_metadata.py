"""Metadata of a picture, validated and bounded in size."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Self

MAX_CAPTION = 2000
MAX_TITLE = 300
MAX_TAG = 100
MAX_TAGS = 100
MAX_CAMERA = 100

_YEARS = range(1800, 2200)
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")
_ISO_DATE = re.compile(
    r"\s*(\d{4})[-:/.](\d{1,2})(?:[-:/.](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?)?)?"
)


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """Metadata of a picture; None and () for unknown fields.

    `taken` is in UTC; a time without a zone is read as UTC. `latitude` and `longitude` are degrees, and
    either both known or both None. Texts have one line and a maximum length.
    """

    taken: datetime | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    title: str | None = None
    caption: str | None = None
    tags: tuple[str, ...] = ()

    def merged_with(self, other: "ImageMetadata") -> "ImageMetadata":
        """Return this metadata with unknown fields taken from `other`, and the tags of both."""
        missing = {
            field.name: getattr(other, field.name)
            for field in fields(self)
            if field.name != "tags" and getattr(self, field.name) is None
        }
        return replace(self, **missing, tags=clean_tags([*self.tags, *other.tags]))

    @classmethod
    def of(
        cls,
        *,
        taken: datetime | None = None,
        camera: str | None = None,
        location: tuple[float, float] | None = None,
        title: object = None,
        caption: object = None,
        tags: Iterable[object] = (),
    ) -> Self:
        """Validate and truncate raw values; invalid ones become unknown fields."""
        latitude, longitude = location if location and is_location(*location) else (None, None)
        return cls(
            taken=in_utc(taken),
            camera=clean_text(camera, MAX_CAMERA),
            latitude=latitude,
            longitude=longitude,
            title=clean_text(title, MAX_TITLE),
            caption=clean_text(caption, MAX_CAPTION),
            tags=clean_tags(tags),
        )


NO_METADATA = ImageMetadata()


def clean_text(text: object, max_length: int) -> str | None:
    """Return the text on one line, truncated to `max_length`; None if it is empty or not a text."""
    if not isinstance(text, str):
        return None
    plain = text[: 4 * max_length].encode("utf-8", "replace").decode("utf-8")  # no lone surrogates
    return _BLANKS.sub(" ", plain).strip()[:max_length].rstrip() or None


def clean_tags(tags: Iterable[object]) -> tuple[str, ...]:
    """Return the tags without duplicates, in order; case is ignored for comparison."""
    found: dict[str, str] = {}
    for tag in tags:
        text = clean_text(tag, MAX_TAG)
        if text:
            found.setdefault(text.casefold(), text)
        if len(found) == MAX_TAGS:
            break
    return tuple(found.values())


def is_location(latitude: float, longitude: float) -> bool:
    """Return whether the degrees are valid. (0, 0) is not, since programs write it for unknown."""
    are_numbers = math.isfinite(latitude) and math.isfinite(longitude)
    return are_numbers and abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude, longitude) != (0, 0)


def in_utc(when: datetime | None) -> datetime | None:
    """Return the time in UTC, None for a year outside of 1800 to 2199."""
    if when is None or when.year not in _YEARS:
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def parse_date(text: object) -> datetime | None:
    """Parse a date of EXIF, XMP or JSON: year and month, then any further parts.

    `2019:07:21 10:11:12`, `2019-07-21T10:11:12.5+02:00`, `2019-07`.
    """
    match = _ISO_DATE.fullmatch(text.strip("\0 ")) if isinstance(text, str) and len(text) < 100 else None
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        plain = datetime(int(year), int(month), int(day or 1), int(hour or 0), int(minute or 0))
        seconds = min(int(second or 0), 59)
        micro = int(float(fraction or 0) * 1_000_000)
        return plain.replace(second=seconds, microsecond=micro, tzinfo=_zone(zone))
    except ValueError:
        return None


def from_epoch(seconds: object) -> datetime | None:
    """Return the time of seconds since 1970, passed as a number or a text."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _zone(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
