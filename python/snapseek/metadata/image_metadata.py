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
    r"\s*(\d{4})[-:/.](\d{1,2})(?:[-:/.](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r"\s*(Z|UTC|[+-]\d{1,2}(?::?\d{2})?)?)?)?"
)
_ZONE = re.compile(r"([+-])(\d{1,2}):?(\d{2})?")
_RATINGS = range(-1, 6)

_QUARTER_S = 15 * 60
_MAX_OFFSET_S = 14 * 3600
"""Offsets of time zones are multiples of a quarter of an hour, and at most 14 hours."""


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """Metadata of a picture; None and () for unknown fields.

    `taken` is in UTC; a time without a zone is read as UTC. `taken_offset_minutes` is the offset of the local
    time from UTC, None if `taken` had no zone, and `taken_from` names its origin: `exif`, `xmp`, `iptc`,
    `json`, `table` or `file name`. `rating` is -1 (rejected) or 1 to 5 stars. `latitude` and
    `longitude` are degrees, and either both known or both None. Texts have one line and a maximum length.
    """

    taken: datetime | None = None
    taken_offset_minutes: int | None = None
    taken_from: str | None = None
    rating: int | None = None
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
            if field.name not in _MERGED and getattr(self, field.name) is None
        }
        tags = clean_tags([*self.tags, *other.tags])
        return replace(self, **missing, tags=tags)._with_time_of(other)

    def _with_time_of(self, other: "ImageMetadata") -> "ImageMetadata":
        """Return this metadata with the time of `other` if it has none, else with its zone if that fits.

        One program writes the local time without a zone, and another one the same moment in UTC.
        """
        if self.taken is None:
            times = {name: getattr(other, name) for name in ("taken", "taken_offset_minutes", "taken_from")}
            return replace(self, **times)
        if other.taken is None:
            return self
        is_same = abs(self.taken - other.taken) < timedelta(seconds=1)
        if self.taken_offset_minutes is None and other.taken_offset_minutes is not None:
            is_same = abs(self.taken - _wall_clock(other.taken, other.taken_offset_minutes)) < timedelta(
                seconds=1
            )
            return (
                replace(self, taken=other.taken, taken_offset_minutes=other.taken_offset_minutes)
                if is_same
                else self
            )
        if self.taken_offset_minutes != 0:
            return self
        if other.taken_offset_minutes is not None:
            return replace(self, taken_offset_minutes=other.taken_offset_minutes) if is_same else self
        return replace(self, taken_offset_minutes=_offset_between(self.taken, other.taken))

    @classmethod
    def of(
        cls,
        *,
        taken: datetime | None = None,
        taken_from: str | None = None,
        rating: object = None,
        camera: str | None = None,
        location: tuple[float, float] | None = None,
        title: object = None,
        caption: object = None,
        tags: Iterable[object] = (),
    ) -> Self:
        """Validate and truncate raw values; invalid ones become unknown fields."""
        latitude, longitude = location if location and is_location(*location) else (None, None)
        moment = in_utc(taken)
        return cls(
            taken=moment,
            taken_offset_minutes=_offset_minutes(taken) if moment else None,
            taken_from=taken_from if moment else None,
            rating=_stars(rating),
            camera=clean_text(camera, MAX_CAMERA),
            latitude=latitude,
            longitude=longitude,
            title=clean_text(title, MAX_TITLE),
            caption=clean_text(caption, MAX_CAPTION),
            tags=clean_tags(tags),
        )


_MERGED = frozenset({"tags", "taken", "taken_offset_minutes", "taken_from"})
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
        micro = int((fraction or "0")[:6].ljust(6, "0"))
        return plain.replace(second=seconds, microsecond=micro, tzinfo=_zone(zone))
    except ValueError:
        return None


def from_epoch(seconds: object) -> datetime | None:
    """Return the time of seconds since 1970, passed as a number or a text; None for 0, which is unknown."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC) if float(seconds) else None  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _zone(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    match = _ZONE.fullmatch(text)
    if match is None:
        return UTC
    offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(-offset if match[1] == "-" else offset)


def _offset_minutes(when: datetime | None) -> int | None:
    offset = when.utcoffset() if when else None
    return None if offset is None else round(offset / timedelta(minutes=1))


def _wall_clock(moment: datetime, offset: int) -> datetime:
    return moment + timedelta(minutes=offset)


def _offset_between(moment: datetime, wall_clock: datetime) -> int:
    """Return the offset in minutes of a wall-clock time at a moment; 0 if no time zone has it."""
    seconds = round((wall_clock - moment).total_seconds())
    return seconds // 60 if abs(seconds) <= _MAX_OFFSET_S and seconds % _QUARTER_S == 0 else 0


def _stars(rating: object) -> int | None:
    """Return a rating of XMP: -1 to 5, where 0 means that there is none."""
    try:
        stars = round(float(rating))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return stars if stars in _RATINGS and stars else None
