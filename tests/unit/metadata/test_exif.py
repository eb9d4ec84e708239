import io
from datetime import UTC, datetime

import pytest
from PIL import Image, TiffImagePlugin

from snapseek.images import open_image
from snapseek.metadata import ImageMetadata
from snapseek.metadata.exif import read_exif

MAKE, MODEL, DATE, DETAILS, GPS = 0x010F, 0x0110, 0x0132, 0x8769, 0x8825


def exif(main=None, details=None, gps=None):
    made = Image.Exif()
    made.update(main or {})
    if details:
        made.get_ifd(DETAILS).update(details)
    if gps:
        made.get_ifd(GPS).update(gps)
    return made


def test_the_time_with_its_zone():
    times = {0x9003: "2021:06:01 12:00:00", 0x9011: "+02:00", 0x9291: "25"}
    assert read_exif(exif(details=times)).taken == datetime(2021, 6, 1, 10, 0, 0, 250_000, UTC)
    del times[0x9011]
    assert read_exif(exif(details=times)).taken.hour == 12


def test_the_first_time_that_can_be_read():
    times = {0x9003: "0000:00:00 00:00:00", 0x9004: "2001:02:03 04:05:06\0", 0x9012: "Paris", 0x9292: "-"}
    assert read_exif(exif(details=times)).taken == datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert read_exif(exif({DATE: "1999:01:02 03:04:05"})).taken.year == 1999


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("FUJIFILM", "X100V", "FUJIFILM X100V"),
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("Canon\0", "Canon EOS 5D", "Canon EOS 5D"),
        ("Apple", None, "Apple"),
        (None, "Pixel 7", "Pixel 7"),
        ("  ", "unknown", None),
    ],
)
def test_maker_and_model_are_one_name(make, model, camera):
    assert (
        read_exif(exif({tag: text for tag, text in ((MAKE, make), (MODEL, model)) if text})).camera == camera
    )


@pytest.mark.parametrize(
    ("latitude", "longitude", "location"),
    [
        ((48.0, 51.0, 23.4), (2.0, 21.0, 7.2), (48.8565, 2.352)),
        ((33.0, 51.54), (151.0, 12.6), (33.859, 151.21)),
        ((100.0, 0.0, 0.0), (1.0, 0.0, 0.0), None),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), None),
        ((float("nan"), 0.0, 0.0), (1.0, 0.0, 0.0), None),
        ((1.0, 2.0, 3.0), "text", None),
        ((1.0, 2.0, 3.0), b"bytes", None),
        ((1.0, 2.0, 3.0), (1.0, 2.0, 3.0, 4.0), None),
        ((TiffImagePlugin.IFDRational(1, 0), 0.0, 0.0), (1.0, 0.0, 0.0), None),
    ],
)
def test_location_of_gps_tags(latitude, longitude, location):
    found = read_exif(exif(gps={1: "N", 2: latitude, 3: "E", 4: longitude}))
    if location is None:
        assert (found.latitude, found.longitude) == (None, None)
    else:
        assert (found.latitude, found.longitude) == pytest.approx(location, abs=1e-4)
        other = read_exif(exif(gps={1: "S", 2: latitude, 3: "w\0", 4: longitude}))
        assert (other.latitude, other.longitude) == pytest.approx((-location[0], -location[1]), abs=1e-4)


def test_texts_of_the_xp_tags():
    words = {0x9C9B: "Títle\0", 0x9C9C: "A caption\0", 0x9C9E: "beach;  red gate ;;Beach\0"}
    found = read_exif(exif({tag: text.encode("utf-16-le") for tag, text in words.items()}))
    assert (found.title, found.caption, found.tags) == ("Títle", "A caption", ("beach", "red gate"))


def test_all_of_it_through_a_file(tmp_path):
    metadata = exif(
        {MAKE: "FUJIFILM", MODEL: "X100V", 0x0112: 6},
        {0x9003: "2021:06:01 12:00:00", 0x9011: "-01:00"},
        {1: "S", 2: (1.0, 30.0, 0.0), 3: "W", 4: (2.0, 0.0, 36.0)},
    )
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        data = io.BytesIO()
        Image.new("RGB", (30, 20)).save(data, kind, exif=metadata.tobytes())
        decoded = open_image(data.getvalue())
        assert decoded.kind == kind.lower()
        assert decoded.metadata == ImageMetadata(
            taken=datetime(2021, 6, 1, 13, tzinfo=UTC),
            taken_offset_minutes=-60,
            taken_from="exif",
            camera="FUJIFILM X100V",
            latitude=-1.5,
            longitude=pytest.approx(-2.01),
        ), kind


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_does_not_fail():
    """Change each byte of the block in turn."""
    metadata = exif({MAKE: "Canon"}, {0x9003: "2021:06:01 12:00:00"}, {1: "N", 2: (1.0, 2.0, 3.0)}).tobytes()
    for index in range(6, len(metadata)):
        for value in (0, 0xFF):
            damaged = bytearray(metadata)
            damaged[index] = value
            data = io.BytesIO()
            Image.new("RGB", (8, 8)).save(data, "JPEG", exif=bytes(damaged))
            assert open_image(data.getvalue()).image.size == (8, 8), (index, value)
