"""Downscaling for the server and the preview."""

import io

import pytest
from PIL import Image

from snapseek.images import fit_side, fit_width, to_jpeg
from snapseek.images.resize import MAX_JPEG_SIDE


@pytest.mark.parametrize(
    ("size", "width", "expected"),
    [
        ((400, 300), 200, (200, 150)),
        ((400, 300), 400, (400, 300)),
        ((400, 300), 4000, (400, 300)),
        ((300, 400), 150, (150, 200)),
        ((5000, 1), 16, (16, 1)),
        ((1, 5000), 16, (1, 5000)),
        ((1, 1), 1, (1, 1)),
        ((333, 500), 100, (100, 150)),
    ],
)
def test_fit_width(size: tuple[int, int], width: int, expected: tuple[int, int]) -> None:
    assert fit_width(Image.new("RGB", size), width).size == expected


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((400, 300), 200, (200, 150)),
        ((300, 400), 200, (150, 200)),
        ((30, 40), 200, (30, 40)),
        ((9000, 2), 9, (9, 1)),
    ],
)
def test_fit_side(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    assert fit_side(Image.new("RGB", size), side).size == expected


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = Image.new("RGB", (800, 400))
    for x in range(0, 800, 2):
        stripes.paste("#ffffff", (x, 0, x + 1, 400))
    levels = fit_width(stripes, 100).convert("L").getextrema()
    assert 110 <= levels[0] <= levels[1] <= 145


def test_to_jpeg_keeps_size_and_drops_metadata() -> None:
    picture = Image.new("RGB", (50, 40), "#336699")
    picture.info["comment"] = b"where I live"
    data = to_jpeg(picture)
    assert b"where I live" not in data
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.format, opened.size, opened.mode) == ("JPEG", (50, 40), "RGB")
        assert opened.getpixel((20, 20)) == pytest.approx((0x33, 0x66, 0x99), abs=3)


def test_lower_quality_is_shorter() -> None:
    picture = Image.radial_gradient("L").convert("RGB")
    assert len(to_jpeg(picture, quality=30)) < len(to_jpeg(picture, quality=95))


def test_a_picture_longer_than_jpeg_allows_is_shrunk() -> None:
    with Image.open(io.BytesIO(to_jpeg(Image.new("RGB", (70_000, 2))))) as opened:
        assert opened.size == (MAX_JPEG_SIDE, 2)
