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


def time_of(when, origin="x"):
    return ImageMetadata.of(taken=when, taken_from=origin)


@pytest.mark.parametrize(
    ("first", "second", "moment", "offset"),
    [
        (time_of(None), time_of(LOCAL.replace(tzinfo=BERLIN)), MOMENT, 60),
        (time_of(LOCAL.replace(tzinfo=BERLIN)), time_of(None), MOMENT, 60),
        (time_of(LOCAL), time_of(LOCAL.replace(tzinfo=BERLIN)), MOMENT, 60),
        (time_of(MOMENT), time_of(LOCAL.replace(tzinfo=BERLIN)), MOMENT, 60),
        (time_of(MOMENT), time_of(LOCAL), MOMENT, 60),
        (time_of(from_epoch(MOMENT.timestamp())), time_of(LOCAL), MOMENT, 60),
        (time_of(LOCAL), time_of(datetime(1999, 1, 1, tzinfo=BERLIN)), LOCAL.replace(tzinfo=UTC), None),
        (time_of(MOMENT), time_of(datetime(1999, 1, 1)), MOMENT, 0),
        (time_of(MOMENT), time_of(LOCAL + timedelta(minutes=7)), MOMENT, 0),
        (time_of(LOCAL), time_of(datetime(1999, 1, 1)), LOCAL.replace(tzinfo=UTC), None),
        (time_of(LOCAL.replace(tzinfo=BERLIN)), time_of(datetime(1999, 1, 1)), MOMENT, 60),
    ],
)
def test_a_time_and_the_time_of_another_program(first, second, moment, offset):
    found = first.merged_with(second)
    assert (found.taken, found.taken_offset_minutes) == (moment, offset)


def test_where_a_time_comes_from():
    assert time_of(LOCAL, "xmp").merged_with(time_of(MOMENT, "exif")).taken_from == "xmp"
    assert time_of(None, "xmp").merged_with(time_of(MOMENT, "exif")).taken_from == "exif"
    assert time_of(None, "xmp").taken_from is None


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
