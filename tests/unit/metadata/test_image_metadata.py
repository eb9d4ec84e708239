from datetime import UTC, datetime

import pytest

from snapseek.metadata import ImageMetadata
from snapseek.metadata.image_metadata import MAX_CAPTION, MAX_TAGS, from_epoch, parse_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019:07:21 10:11:12", datetime(2019, 7, 21, 10, 11, 12)),
        ("2019-07-21T10:11:12.5+02:00", datetime(2019, 7, 21, 8, 11, 12, 500_000)),
        ("2019-07-21T10:11:12Z", datetime(2019, 7, 21, 10, 11, 12)),
        ("2019:07:21 10:11:12-0530", datetime(2019, 7, 21, 15, 41, 12)),
        ("2019-07", datetime(2019, 7, 1)),
        ("2019:07:21 23:59:60", datetime(2019, 7, 21, 23, 59, 59)),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("2019:13:01 00:00:00", None),
        ("2019:01:01 00:00:00+99:00", None),
        ("yesterday", None),
        ("1" * 10_000, None),
        (2019, None),
    ],
)
def test_dates(text, expected):
    assert ImageMetadata.of(taken=parse_date(text)).taken == (expected and expected.replace(tzinfo=UTC))


@pytest.mark.parametrize("seconds", ["nan", float("inf"), 1e300, None, [], "x"])
def test_invalid_epoch_seconds(seconds):
    assert from_epoch(seconds) is None


def test_a_year_out_of_range_is_skipped():
    assert ImageMetadata.of(taken=datetime(9999, 12, 31)).taken is None


def test_texts_are_on_one_line_and_bounded():
    facts = ImageMetadata.of(
        caption=" two\r\n lines\0 ", title="x" * 10**6, tags=["A", "a", " ", None, "b\ud800"]
    )
    assert facts.caption == "two lines"
    assert len(facts.title) == 300
    assert facts.tags == ("A", "b?")
    assert len(ImageMetadata.of(caption="x y" * 10**6).caption) <= MAX_CAPTION
    assert len(ImageMetadata.of(tags=map(str, range(10**6))).tags) == MAX_TAGS


@pytest.mark.parametrize("location", [(0, 0), (91, 0), (0, 181), (float("nan"), 1), (1, float("inf")), None])
def test_invalid_locations_are_skipped(location):
    assert ImageMetadata.of(location=location).latitude is None
    assert ImageMetadata.of(location=location).longitude is None


def test_metadata_is_merged_field_by_field():
    first = ImageMetadata.of(title="first", location=(1, 2), tags=["a"])
    second = ImageMetadata.of(title="second", caption="c", location=(3, 4), tags=["A", "b"])
    assert first.merged_with(second) == ImageMetadata(
        title="first", caption="c", latitude=1, longitude=2, tags=("a", "b")
    )
    assert ImageMetadata().merged_with(second).longitude == 4
