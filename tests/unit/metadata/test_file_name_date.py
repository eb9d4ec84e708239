from datetime import UTC, datetime

import pytest

from snapseek.metadata import ImageMetadata
from snapseek.metadata.file_name_date import date_in_name


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("IMG-20230325-WA0122.jpg", (2023, 3, 25)),
        ("IMG_20190721_101112.jpg", (2019, 7, 21, 10, 11, 12)),
        ("PXL_20220405_090123740.PORTRAIT.jpg", (2022, 4, 5, 9, 1, 23, 740_000)),
        ("20190721_101112(0).jpg", (2019, 7, 21, 10, 11, 12)),
        ("DJI_20230325101112_0001_D.JPG", (2023, 3, 25, 10, 11, 12)),
        ("Screenshot_20190919-053857_Chrome.jpg", (2019, 9, 19, 5, 38, 57)),
        ("Screenshot_2019-09-19-05-38-57-1.png", (2019, 9, 19, 5, 38, 57)),
        ("Screenshot 2023-01-02 at 10.11.12.png", (2023, 1, 2, 10, 11, 12)),
        ("Screen Shot 2019-09-19 at 5.38.57 PM.png", (2019, 9, 19, 17, 38, 57)),
        ("Screenshot 2023-01-02 at 12.11.12\u202fAM.png", (2023, 1, 2, 0, 11, 12)),
        ("Bildschirmfoto 2023-01-02 um 10.11.12.png", (2023, 1, 2, 10, 11, 12)),
        ("Capture d'écran 2023-01-02 à 10.11.12.png", (2023, 1, 2, 10, 11, 12)),
        ("WhatsApp Image 2023-03-25 at 10.11.12 AM (1).jpeg", (2023, 3, 25, 10, 11, 12)),
        ("WhatsApp Image 2023-03-25 at 22.11.12.jpeg", (2023, 3, 25, 22, 11, 12)),
        ("signal-2023-03-25-101112_002.jpg", (2023, 3, 25, 10, 11, 12)),
        ("signal-2023-03-25-10-11-12-123.jpg", (2023, 3, 25, 10, 11, 12)),
        ("photo_2023-03-25_10-11-12.jpg", (2023, 3, 25, 10, 11, 12)),
        ("2023-03-25 10.11.12-2.jpg", (2023, 3, 25, 10, 11, 12)),
        ("2013-12-23(1).jpg", (2013, 12, 23)),
        ("WIN_20230325_10_11_12_Pro.jpg", (2023, 3, 25, 10, 11, 12)),
        ("FB_IMG_1553520000000.jpg", (2019, 3, 25, 13, 20)),
        ("mmexport1553520000000.jpg", (2019, 3, 25, 13, 20)),
        ("IMG_20190721_991112.jpg", (2019, 7, 21)),
    ],
)
def test_names_of_messengers_screenshots_and_cameras(name, date):
    found = date_in_name(name)
    assert found.taken == datetime(*date, tzinfo=UTC)
    assert found.taken_from == "file name"


@pytest.mark.parametrize(
    "name",
    [
        "IMG_3397.JPG",
        "DSC00017.jpg",
        "20231399.jpg",
        "2023-02-30.jpg",
        "123420190721567.jpg",
        "photo-18000101.jpg",
        "1080x1920.png",
        "2019.jpg",
        "cat.jpg",
        "",
        "2019" * 5000,
    ],
)
def test_names_without_a_date(name):
    assert date_in_name(name) == ImageMetadata()
