import json
from datetime import UTC, datetime

import pytest

from snapseek.metadata import ImageMetadata
from snapseek.sources import read_sidecars

ENTRY = {
    "SourceFile": "./trip/cat.jpg",
    "ExifToolVersion": 12.76,
    "FileName": "cat.jpg",
    "Make": "Canon",
    "Model": "Canon EOS R",
    "DateTimeOriginal": "2024:01:01 00:30:00",
    "OffsetTimeOriginal": "+01:00",
    "Subject": ["beach", 2024],
    "Keywords": "sea, sand",
    "HierarchicalSubject": ["places|Norway"],
    "TagsList": "Family/Ada",
    "Rating": 4,
    "Title": "Pier",
    "Description": "Grandma on the pier",
    "GPSLatitude": "48 deg 51' 23.40\" N",
    "GPSLongitude": "2 deg 21' 7.20\" W",
}
EXPECTED = ImageMetadata(
    taken=datetime(2023, 12, 31, 23, 30, tzinfo=UTC),
    taken_offset_minutes=60,
    taken_from="json",
    rating=4,
    camera="Canon EOS R",
    latitude=pytest.approx(48.8565),
    longitude=pytest.approx(-2.352),
    title="Pier",
    caption="Grandma on the pier",
    tags=("beach", "2024", "sea, sand", "places", "Norway", "Family", "Ada"),
)


def read(tmp_path, found):
    (tmp_path / "cat.jpg.json").write_text(json.dumps(found))
    return read_sidecars(tmp_path / "cat.jpg").metadata


def test_what_exiftool_writes(tmp_path):
    assert read(tmp_path, [ENTRY]) == EXPECTED


@pytest.mark.parametrize("group", ["EXIF", "XMP-dc", "IPTC:Main"])
def test_names_with_groups(tmp_path, group):
    assert (
        read(tmp_path, [{key if key == "SourceFile" else f"{group}:{key}": v for key, v in ENTRY.items()}])
        == EXPECTED
    )


def test_numbers_instead_of_texts(tmp_path):
    entry = ENTRY | {"GPSLatitude": 48.8565, "GPSLongitude": 2.352, "GPSLongitudeRef": "W"}
    assert read(tmp_path, [entry]) == EXPECTED


def test_the_entry_of_the_picture_among_several(tmp_path):
    others = [{"SourceFile": f"{name}.jpg", "Title": name} for name in ("a", "b")]
    assert read(tmp_path, [others[0], ENTRY, others[1]]) == EXPECTED
    assert read(tmp_path, others) == ImageMetadata()


def test_times(tmp_path):
    def taken(**fields):
        return read(tmp_path, [{"SourceFile": "cat.jpg", **fields}]).taken

    assert taken(SubSecDateTimeOriginal="2024:01:01 00:30:00.25+01:00") == datetime(
        2023, 12, 31, 23, 30, 0, 250_000, UTC
    )
    assert taken(CreateDate="2024:01:01 00:30:00") == datetime(2024, 1, 1, 0, 30, tzinfo=UTC)
    assert taken(DateTimeOriginal="0000:00:00 00:00:00") is None
    assert taken(GPSDateTime="2024:01:01 00:30:00Z") == datetime(2024, 1, 1, 0, 30, tzinfo=UTC)
    assert taken(DateTimeOriginal=5, Rating=[1], Subject={"a": 1}, GPSLatitude=[], Make=None) is None
