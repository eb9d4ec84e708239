"""snapseek.metadata.image_metadata: the times of two programs become a moment and a wall-clock time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from snapseek.metadata import ImageMetadata, MetadataBlocks, embedded_metadata
from snapseek.metadata.image_metadata import from_epoch
from tests.unit.metadata.test_exif import exif
from tests.unit.metadata.test_xmp import block

BERLIN = timezone(timedelta(hours=1))
MOMENT = datetime(2023, 12, 31, 23, 30, tzinfo=UTC)
LOCAL = datetime(2024, 1, 1, 0, 30)


def at(when, origin="x"):
    return ImageMetadata.of(taken=when, taken_from=origin)


@pytest.mark.parametrize(
    ("first", "second", "moment", "offset"),
    [
        (at(None), at(LOCAL.replace(tzinfo=BERLIN)), MOMENT, 60),
        (at(LOCAL.replace(tzinfo=BERLIN)), at(None), MOMENT, 60),
        (at(LOCAL), at(LOCAL.replace(tzinfo=BERLIN)), MOMENT, 60),
        (at(MOMENT), at(LOCAL.replace(tzinfo=BERLIN)), MOMENT, 60),
        (at(MOMENT), at(LOCAL), MOMENT, 60),
        (at(from_epoch(MOMENT.timestamp())), at(LOCAL), MOMENT, 60),
        (at(LOCAL), at(datetime(1999, 1, 1, tzinfo=BERLIN)), LOCAL.replace(tzinfo=UTC), None),
        (at(MOMENT), at(datetime(1999, 1, 1)), MOMENT, 0),
        (at(MOMENT), at(LOCAL + timedelta(minutes=7)), MOMENT, 0),
        (at(LOCAL), at(datetime(1999, 1, 1)), LOCAL.replace(tzinfo=UTC), None),
        (at(LOCAL.replace(tzinfo=BERLIN)), at(datetime(1999, 1, 1)), MOMENT, 60),
    ],
)
def test_a_time_and_the_time_of_another_program(first, second, moment, offset):
    found = first.merged_with(second)
    assert (found.taken, found.taken_offset_minutes) == (moment, offset)


def test_where_a_time_comes_from():
    assert at(LOCAL, "xmp").merged_with(at(MOMENT, "exif")).taken_from == "xmp"
    assert at(None, "xmp").merged_with(at(MOMENT, "exif")).taken_from == "exif"
    assert at(None, "xmp").taken_from is None


def test_blocks_of_one_file():
    made = exif({0x4746: 3}, {0x9003: "2020:05:01 09:30:00"})
    found = embedded_metadata(MetadataBlocks(exif=made, xmp=block()))
    assert (found.taken, found.taken_offset_minutes) == (datetime(2020, 5, 1, 7, 30, tzinfo=UTC), 120)
    assert (found.taken_from, found.rating, found.title) == ("exif", 3, "Gate")


def test_the_day_of_iptc():
    def field(number, value):
        return bytes([0x1C, 2, number]) + len(value).to_bytes(2, "big") + value

    iptc = field(55, b"20240101") + field(60, b"003000+0100")
    found = embedded_metadata(MetadataBlocks(iptc=iptc))
    assert (found.taken, found.taken_offset_minutes, found.taken_from) == (MOMENT, 60, "iptc")
    assert embedded_metadata(MetadataBlocks(iptc=field(55, b"20240101"))).taken.day == 1
    assert embedded_metadata(MetadataBlocks(iptc=field(55, b"2024"))).taken is None
