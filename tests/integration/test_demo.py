"""The demo pictures: credited one by one, with a known licence, of the right size, with faithful previews."""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from snapseek.images import MAX_PREVIEW_BYTES, make_preview, open_image
from tests.support.structural_similarity import likeness

REPOSITORY = Path(__file__).resolve().parents[2]
WHEEL_DEMO = REPOSITORY / "python" / "snapseek" / "demo"
FOLDERS = (WHEEL_DEMO / "pictures", REPOSITORY / "demo" / "pictures")

FREE_FOR_ALL = {"public-domain", "CC0-1.0", "CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0"}
TO_BE_KEPT_APART = {
    "BSD-3-Clause",
    "CC-BY-SA-2.5",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "LGPL-3.0-only",
}


@cache
def credits() -> list[dict[str, str]]:
    return read_rows(REPOSITORY / "demo" / "CREDITS.csv")


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def picture_files() -> list[str]:
    paths = (path for folder in FOLDERS for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(REPOSITORY).as_posix() for path in paths)


def short_name(file: str) -> str:
    return file.partition("/pictures/")[2]


def test_every_picture_has_one_credit_and_every_credit_a_picture() -> None:
    assert sorted(row["file"] for row in credits()) == picture_files()


def test_no_credit_is_left_empty() -> None:
    columns = ["file", "title", "author", "source_package", "licence"]
    for row in credits():
        assert list(row) == columns
        assert all(value.strip() for value in row.values()), row


def test_names_are_unique_lower_case_words() -> None:
    names = [short_name(row["file"]) for row in credits()]
    assert len(set(names)) == len(names)
    for name in names:
        category, _, picture = name.removesuffix(".jpg").partition("/")
        assert f"{category}{picture}".replace("-", "").isalnum(), name
        assert name == name.lower()
        assert name.isascii()


def test_every_licence_is_known() -> None:
    assert {row["licence"] for row in credits()} <= FREE_FOR_ALL | TO_BE_KEPT_APART


def test_the_wheel_has_only_what_any_project_may_pass_on() -> None:
    in_wheel = [row for row in credits() if row["file"].startswith("python/")]
    assert {row["licence"] for row in in_wheel} <= FREE_FOR_ALL
    assert len(in_wheel) >= 60
    assert sum((REPOSITORY / row["file"]).stat().st_size for row in in_wheel) < 3.1e6


def test_the_wheels_own_credits_are_the_same_rows() -> None:
    own = {
        f"python/snapseek/demo/{row['file']}": row | {"file": ""}
        for row in read_rows(WHEEL_DEMO / "CREDITS.csv")
    }
    assert own == {row["file"]: row | {"file": ""} for row in credits() if row["file"].startswith("python/")}


def test_every_picture_can_be_collected_again() -> None:
    sources = read_rows(REPOSITORY / "demo" / "SOURCES.csv")
    assert [row["picture"] for row in sources] == [short_name(row["file"]) for row in credits()]
    packages = {row["source_package"].split()[0] for row in credits()}
    assert {row["package"] for row in sources} == packages


def test_there_is_variety() -> None:
    categories = {short_name(row["file"]).split("/")[0] for row in credits()}
    assert len(credits()) >= 300
    assert categories >= {
        "animals",
        "buildings",
        "food",
        "landscapes",
        "music",
        "plants",
        "sports",
        "vehicles",
    }


def test_the_repository_stays_small() -> None:
    assert sum((REPOSITORY / file).stat().st_size for file in picture_files()) < 9e6


@pytest.mark.parametrize("file", picture_files())
def test_a_picture_is_a_small_jpeg_without_metadata(file: str) -> None:
    found = open_image(REPOSITORY / file)
    assert found.media_type == "image/jpeg"
    assert 300 <= max(found.width, found.height) <= 512
    data = (REPOSITORY / file).read_bytes()
    for mark in (b"Exif\0", b"http://ns.adobe.com", b"ICC_PROFILE", b"Photoshop"):
        assert mark not in data


@pytest.mark.slow
def test_previews_are_short_and_like_their_pictures() -> None:
    """Computed over every picture; the mean is 0.68 with the libwebp of today."""
    values = []
    for file in picture_files():
        image = open_image(REPOSITORY / file).image
        preview = make_preview(image)
        assert len(preview.data) <= MAX_PREVIEW_BYTES
        values.append(likeness(image, preview.data))
    assert np.mean(values) >= 0.62
