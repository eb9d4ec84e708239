"""Read a date from the name of a file, as messengers, screenshots and cameras write it.

IMG-20230325-WA0122.jpg                  WhatsApp
PXL_20220405_090123740.jpg               a phone, with milliseconds
Screenshot 2023-01-02 at 5.38.57 PM.png  macOS, in several languages
signal-2023-03-25-101112.jpg             Signal
FB_IMG_1553520000000.jpg                 milliseconds since 1970
"""

import re
from datetime import datetime

from snapseek.metadata.image_metadata import ImageMetadata, from_epoch

FILE_NAME = "file name"

_YEARS = range(1970, 2100)
_DATE = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<sign>[-_. ]?)(?P<month>\d\d)(?P=sign)(?P<day>\d\d)"
    r"(?:(?P<between>[-_. T]*|,? ?(?:at|um|à|a las|alle|kl\.?|om|в|o|às|uhr) ?)"
    r"(?P<hour>\d{1,2})(?P<colon>[-_.: h]?)(?P<minute>\d\d)(?:(?P=colon)|m|min)(?P<second>\d\d)"
    r"(?:[.,]?(?P<fraction>\d{3}))?(?!\d)[\s\u202f]*(?P<half>[AaPp]\.?[Mm])?)?"
)
_EPOCH_MS = re.compile(r"(?:FB_IMG_|mmexport|IMG_?|received_|Screenshot_|image_?)?(1[0-9]{12})(?:[ _(-].*)?")


def date_in_name(name: str) -> ImageMetadata:
    """Return the date in the name of a file as the only metadata, none if there is no valid date."""
    stem = name.rpartition(".")[0] or name
    if (match := _EPOCH_MS.fullmatch(stem[:200])) is not None:
        return ImageMetadata.of(taken=from_epoch(int(match[1]) / 1000), taken_from=FILE_NAME)
    for match in _DATE.finditer(stem[:200]):
        if (found := _date(match)) is not None:
            return ImageMetadata.of(taken=found, taken_from=FILE_NAME)
    return ImageMetadata()


def _date(match: re.Match[str]) -> datetime | None:
    """Return the local time of a match; the day alone if the digits after it are no time."""
    year, month, day = (int(match[part]) for part in ("year", "month", "day"))
    if year not in _YEARS:
        return None
    try:
        date = datetime(year, month, day)
    except ValueError:
        return None
    if match["hour"] is None:
        return None if _goes_on(match) else date
    try:
        time = date.replace(hour=_hour(match), minute=int(match["minute"]), second=int(match["second"]))
        return time.replace(microsecond=1000 * int(match["fraction"] or 0))
    except ValueError:
        return None if _goes_on(match) else date


def _goes_on(match: re.Match[str]) -> bool:
    """Return whether more digits follow the day directly: then this is a number, not a date."""
    return match.string[match.end("day") : match.end("day") + 1].isdigit()


def _hour(match: re.Match[str]) -> int:
    hour = int(match["hour"])
    if match["half"] is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("an hour of 12 is from 1 to 12")
    return hour % 12 + (12 if match["half"][0] in "Pp" else 0)
