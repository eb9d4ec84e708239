"""Metadata of any content: a value of any type and size is read or skipped, and never raises."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import TiffImagePlugin

from snapseek.metadata import ImageMetadata, MetadataBlocks, embedded_metadata
from snapseek.metadata.degrees import parse_degrees
from snapseek.metadata.exif import read_exif
from snapseek.metadata.exif_texts import exif_text, text_of_people, user_comment, xp_text
from snapseek.metadata.file_name_date import date_in_name
from snapseek.metadata.image_metadata import parse_date
from snapseek.sources.fields.sidecar import read_json
from tests.unit.metadata.test_exif import exif

TEXTS = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"[0-9:. TZ+-]{1,30}"),
    st.sampled_from(
        ["2024:01:01 00:30:00", "+01:00", "48,51.39N", "9" * 400, "[", '["a"]', "a|b;c", "\ud800"]
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
JSON = st.recursive(
    SCALARS,
    lambda values: st.one_of(st.lists(values, max_size=4), st.dictionaries(TEXTS, values, max_size=3)),
    max_leaves=8,
)
EXIFTOOL = ["SourceFile", "XMP:Subject", "Rating", "GPSLatitude", "GPSLatitudeRef", "GPSLongitude"]
EXIFTOOL += ["DateTimeOriginal", "OffsetTimeOriginal", "Make", "Model", "HierarchicalSubject", "Title"]
COMMON = ["caption", "tags", "keywords", "people", "description", "photoTakenTime", "timestamp", "geoData"]
COMMON += ["latitude", "longitude", "rating", "date", "title"]
NAMES = st.sampled_from([*EXIFTOOL, *COMMON])
TAGS = st.sampled_from(
    [0x010E, 0x010F, 0x0110, 0x0132, 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F, 0x4746, 0x4749, 0x9003]
)
DETAILS = st.sampled_from([0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9286, 0x9290, 0x9291, 0x9292])
RATIONALS = st.builds(TiffImagePlugin.IFDRational, st.integers(-(2**31), 2**31), st.integers(0, 2**31))
STORED = st.one_of(SCALARS, st.binary(max_size=40), RATIONALS, st.lists(RATIONALS, max_size=4).map(tuple))


@given(st.one_of(st.dictionaries(NAMES, JSON), st.lists(st.dictionaries(NAMES, JSON), max_size=2)))
def test_json(found):
    data = json.dumps(found).encode()
    with suppress(ValueError):  # a list that is not of exiftool
        check(read_json(data, "cat.jpg"))
    if isinstance(found, dict):
        check(read_json(data, "cat.jpg"))


@given(
    st.dictionaries(TAGS, STORED),
    st.dictionaries(DETAILS, STORED),
    st.dictionaries(st.integers(1, 31), STORED),
)
def test_exif(main, details, gps):
    check(read_exif(exif(main, details, gps)))


@given(st.binary(max_size=60), st.sampled_from("<>"))
def test_bytes_as_texts(data, order):
    for text in (
        user_comment(b"UNICODE\0" + data, order),
        user_comment(b"JIS\0\0\0\0\0" + data),
        exif_text(data),
    ):
        assert isinstance(text, str)
        text_of_people(text)
    assert isinstance(xp_text(data), str)
    check(embedded_metadata(MetadataBlocks(iptc=b"\x1c\x02\x37\x00\x08" + data)))


@given(TEXTS)
def test_texts(text):
    check(date_in_name(text))
    parse_date(text)
    degrees = parse_degrees(text, text)
    assert degrees is None or isinstance(degrees, float)


@pytest.mark.parametrize(
    "text", ["a" * 70_000, "filter: 0;" * 7000, "2019" * 20_000, "-" * 70_000, "x: 1; " * 20_000]
)
def test_long_texts_take_no_time(text):
    text_of_people(text)
    parse_degrees(text)
    date_in_name(text)
    user_comment(b"UNICODE\0" + text.encode("utf-16-be"))


def check(metadata):
    assert isinstance(metadata, ImageMetadata)
    assert metadata.taken_offset_minutes is None or abs(metadata.taken_offset_minutes) < 24 * 60
    assert metadata.rating in (None, -1, 1, 2, 3, 4, 5)
    assert (metadata.taken is None) == (metadata.taken_from is None)
    for text in (metadata.title, metadata.caption, metadata.camera, *metadata.tags):
        assert text is None or text.encode()
