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


ORIGINAL, OFFSET, OFFSET_ORIGINAL, OFFSET_DIGITIZED = 0x9003, 0x9010, 0x9011, 0x9012


@pytest.mark.parametrize(
    ("times", "main", "moment", "offset"),
    [
        ({ORIGINAL: "2025:01:14 18:31:30+0000"}, {}, datetime(2025, 1, 14, 18, 31, 30), 0),
        (
            {ORIGINAL: "2022:12:20 10:00:00", OFFSET_ORIGINAL: "-05:30"},
            {},
            datetime(2022, 12, 20, 15, 30),
            -330,
        ),
        (
            {ORIGINAL: "2024:12:21 23:39:24", OFFSET_ORIGINAL: "+01:00", OFFSET: "+08:00"},
            {},
            datetime(2024, 12, 21, 22, 39, 24),
            60,
        ),
        ({ORIGINAL: "2024:06:01 02:13:00", OFFSET: "+02:00"}, {}, datetime(2024, 6, 1, 0, 13), 120),
        ({ORIGINAL: "2024:06:01 02:13:00", OFFSET_DIGITIZED: "+02:00"}, {}, datetime(2024, 6, 1, 0, 13), 120),
        (
            {ORIGINAL: "2024:06:01 02:13:00", OFFSET_ORIGINAL: "   :  ", OFFSET: "+9:00"},
            {},
            datetime(2024, 5, 31, 17, 13),
            540,
        ),
        ({ORIGINAL: "2024:06:01 02:13:00", OFFSET_ORIGINAL: "+99:00"}, {}, datetime(2024, 6, 1, 2, 13), None),
        ({ORIGINAL: "2024:06:01 02:13:00", OFFSET_ORIGINAL: "Z"}, {}, datetime(2024, 6, 1, 2, 13), 0),
        (
            {ORIGINAL: "0000:00:00 00:00:00"},
            {DATE: "2020:05:06 07:08:09"},
            datetime(2020, 5, 6, 7, 8, 9),
            None,
        ),
        ({OFFSET: "+02:00"}, {DATE: "2020:05:06 07:08:09"}, datetime(2020, 5, 6, 5, 8, 9), 120),
        ({0x9004: "2020:05:06 07:08:09", 0x9292: "5"}, {}, datetime(2020, 5, 6, 7, 8, 9, 500_000), None),
        ({0x9290: "25"}, {DATE: "2020:05:06 07:08:09"}, datetime(2020, 5, 6, 7, 8, 9, 250_000), None),
        ({ORIGINAL: "2019:07:21"}, {}, datetime(2019, 7, 21), None),
        (
            {ORIGINAL: "2019:07:21 10:11:12\0", 0x9291: "5"},
            {},
            datetime(2019, 7, 21, 10, 11, 12, 500_000),
            None,
        ),
        ({ORIGINAL: "    :  :     :  :  "}, {}, None, None),
        ({ORIGINAL: "2012:02:30 10:00:00"}, {}, None, None),
        ({ORIGINAL: "2019:07:21 24:00:00"}, {}, None, None),
    ],
)
def test_times_and_offsets(times, main, moment, offset):
    found = read_exif(exif(main, times))
    assert found.taken == (moment and moment.replace(tzinfo=UTC))
    assert found.taken_offset_minutes == offset
    assert found.taken_from == (moment and "exif")


def test_the_time_of_the_satellites_is_the_last_resort():
    gps = {29: "2021:06:01", 7: (12.0, 30.0, 5.0)}
    assert read_exif(exif(gps=gps)).taken == datetime(2021, 6, 1, 12, 30, 5, tzinfo=UTC)
    assert read_exif(exif(gps=gps | {7: (99.0, 0.0, 0.0)})).taken == datetime(2021, 6, 1, tzinfo=UTC)
    assert read_exif(exif(gps={7: (12.0, 30.0, 5.0)})).taken is None
    assert read_exif(exif({DATE: "1999:01:02 03:04:05"}, gps=gps)).taken.year == 1999


NAN = TiffImagePlugin.IFDRational(0, 0)


@pytest.mark.parametrize(
    ("latitude", "reference", "expected"),
    [
        ((48.0, 30.0, NAN), "N", 48.5),
        ((48.0, NAN, NAN), "S", -48.0),
        ((48.5,), "S", -48.5),
        ((-48.5, 0.0, 0.0), "S", -48.5),
        ((-48.5, 0.0, 0.0), None, -48.5),
        ((48.0, 30.0, 0.0), b"S\0", -48.5),
        ((NAN, 0.0, 0.0), "N", None),
        ((NAN, NAN, NAN), "N", None),
        ((float("inf"), 0.0, 0.0), "N", None),
        ("48", "N", None),
    ],
)
def test_a_location_with_parts_that_are_0_by_0(latitude, reference, expected):
    gps = {2: latitude, 3: "E", 4: (2.0, 0.0, NAN)} | ({1: reference} if reference else {})
    found = read_exif(exif(gps=gps))
    assert (found.latitude, found.longitude) == (expected, None if expected is None else 2)


def test_a_location_of_0_by_0_through_a_file(tmp_path):
    gps = {1: "N", 2: (48.0, 30.0, NAN), 3: "W", 4: (2.0, 15.0, NAN)}
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg", exif=exif(gps=gps))
    found = open_image(tmp_path / "a.jpg").metadata
    assert (found.latitude, found.longitude) == (48.5, -2.25)


def wide(text):
    return text.encode("utf-16-le") + b"\0\0"


def test_words_of_windows_and_cameras():
    main = {
        0x9C9B: wide("Pier"),
        0x9C9C: wide("a comment"),
        0x9C9E: wide("sea;gran"),
        0x9C9F: wide("subject"),
    }
    found = read_exif(exif(main))
    assert (found.title, found.caption, found.tags) == ("Pier", "a comment", ("sea", "gran"))
    del main[0x9C9C]
    assert read_exif(exif(main)).caption == "subject"
    assert read_exif(exif(main | {0x010E: "Pier"})).caption == "subject"  # Windows repeats the title there
    assert read_exif(exif({0x010E: "words", 0x9C9C: wide("others")})).caption == "words"
    assert read_exif(exif({0x010E: "OLYMPUS DIGITAL CAMERA", 0x9C9C: wide("others")})).caption == "others"
    assert read_exif(exif({0x010E: "Canon EOS R", MAKE: "Canon", MODEL: "EOS R"})).caption is None


def test_words_through_a_file(tmp_path):
    made = exif({0x010E: "Tür".encode()}, {0x9286: b"UNICODE\0" + "Tür".encode("utf-16-be")})
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg", exif=made)
    assert open_image(tmp_path / "a.jpg").metadata.caption == "Tür"
    del made[0x010E]
    Image.new("RGB", (9, 9)).save(tmp_path / "b.jpg", exif=made)
    assert open_image(tmp_path / "b.jpg").metadata.caption == "Tür"


@pytest.mark.parametrize(
    ("main", "stars"),
    [
        ({0x4746: 4}, 4),
        ({0x4746: 0}, None),
        ({0x4749: 99}, 5),
        ({0x4749: 50}, 3),
        ({0x4749: 1}, 1),
        ({0x4749: 0}, None),
    ],
)
def test_a_rating(main, stars):
    assert read_exif(exif(main)).rating == stars
