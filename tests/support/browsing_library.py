"""A library of local pictures of many months, in nested folders, with places and columns of a table."""

import csv
from pathlib import Path

from PIL import Image

from snapseek.library import Library

COUNT = 420
MONTHS = 42
"""Ten pictures each, from January 2021 to June 2024."""
_DATE, _GPS = 0x0132, 0x8825
_SPOTS = [((48, 51, 30), "N", (2, 17, 40), "E"), ((50, 56, 28), "N", (6, 57, 29), "E")]


def folder_of(number: int) -> str:
    """Trips by year, with two days each; a thing of its own at the top."""
    if number % 7 == 0:
        return "Scans"
    return f"Trips/{2021 + number % 4}/{'Day one' if number % 2 else 'Day, two'}"


def build_browsing_library(directory: Path, encoder) -> Library:
    """Write the pictures and return their library."""
    pictures = directory / "pictures"
    rows = []
    for number in range(COUNT):
        month = number % MONTHS
        exif = Image.Exif()
        exif[_DATE] = f"{2021 + month // 12}:{1 + month % 12:02}:{1 + number // MONTHS:02} 12:00:00"
        if number % 3 == 0:
            latitude, north, longitude, east = _SPOTS[number % 2]
            gps = exif.get_ifd(_GPS)
            gps[1], gps[2], gps[3], gps[4] = north, latitude, east, longitude
        path = pictures / folder_of(number) / f"{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 + number % 30, 40), f"hsl({number * 360 // COUNT}, 70%, 50%)").save(
            path, exif=exif
        )
        rows.append(
            {
                "file_name": path.relative_to(pictures).as_posix(),
                "punsafe": number / COUNT,
                "stars": number % 6,
                "series": f"series {number % 40:02}",
                "page_url": f"https://pictures.example/about/{number}"
                if number % 2
                else "javascript:alert(1)",
            }
        )
    with (pictures / "metadata.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return Library.build(pictures, directory / "l", encoder=encoder)
