"""Conversion to RGB: transparency becomes white, deep gray is scaled, the first frame is used."""

import numpy as np
import pytest
from PIL import Image

from snapseek.images import open_image
from tests.support.sample_pictures import AVIF, corner_names, encoded, quarters


def test_cmyk_and_grey_jpegs() -> None:
    cmyk = open_image(encoded(Image.new("CMYK", (20, 10), (0, 255, 255, 0)), "JPEG"))
    red, green, blue = cmyk.image.getpixel((5, 5))
    assert red > 200
    assert max(green, blue) < 60
    grey = open_image(encoded(Image.new("L", (20, 10), 77), "JPEG"))
    assert grey.image.getpixel((5, 5)) == pytest.approx((77, 77, 77), abs=2)


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "PNG"), ("RGBA", "TIFF"), ("LA", "PNG"), ("LA", "TIFF"), ("PA", "TIFF")]
)
def test_transparent_pixels_become_white(mode: str, kind: str) -> None:
    picture = Image.new("RGBA", (20, 10), (200, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (10, 0, 20, 10))
    layered = picture.convert("RGBA" if mode == "PA" else mode)
    if mode == "PA":
        layered = picture.convert("RGB").convert("P").convert("PA")
        layered.putalpha(picture.getchannel("A"))
    found = open_image(encoded(layered, kind)).image
    assert found.getpixel((5, 5)) == (255, 255, 255)
    assert found.getpixel((15, 5)) == (0, 0, 0)


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    found = open_image(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)))).image
    assert found.getpixel((1, 1)) == pytest.approx((127, 127, 127), abs=1)


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])])
def test_transparent_palette_entries_become_white(transparency: int | bytes) -> None:
    picture = Image.new("P", (20, 10), 0)
    picture.putpalette([10, 200, 10, 0, 0, 200])
    picture.paste(1, (10, 0, 20, 10))
    found = open_image(encoded(picture, "PNG", transparency=transparency)).image
    assert found.getpixel((5, 5)) == (255, 255, 255)
    assert found.getpixel((15, 5)) == (0, 0, 200)


def test_transparent_colour_of_rgb_and_grey_png() -> None:
    rgb = open_image(encoded(quarters(), "PNG", transparency=(255, 0, 0))).image
    assert corner_names(rgb)[0] == "white"
    grey = open_image(encoded(Image.new("L", (4, 4), 9), "PNG", transparency=9)).image
    assert grey.getpixel((1, 1)) == (255, 255, 255)


def test_black_and_white_pictures() -> None:
    picture = Image.new("1", (16, 16), 0)
    picture.paste(1, (8, 0, 16, 16))
    found = open_image(encoded(picture, "TIFF")).image
    assert found.getpixel((2, 2)) == (0, 0, 0)
    assert found.getpixel((12, 2)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(kind: str) -> None:
    values = np.array([[0, 257, 32768, 65535]], dtype=np.uint16)
    found = open_image(encoded(Image.fromarray(values), kind)).image
    assert [found.getpixel((x, 0))[0] for x in range(4)] == [0, 1, 128, 255]


def test_dark_16_bit_grey_stays_dark() -> None:
    values = np.full((4, 4), 2570, dtype=np.uint16)
    assert open_image(encoded(Image.fromarray(values))).image.getpixel((0, 0)) == (10, 10, 10)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[-100.0, 0.0, 100.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[np.nan, np.inf, 1.0]], dtype=np.float32), [0, 0, 255]),
        (np.array([[0, 32768, 65535]], dtype=np.int32), [0, 128, 255]),
        (np.array([[-2_000_000, 0, 2_000_000]], dtype=np.int32), [0, 128, 255]),
        (np.array([[70_000, 70_000, 70_000]], dtype=np.int32), [255, 255, 255]),
    ],
)
def test_floats_and_32_bit_integers(values: np.ndarray, expected: list[int]) -> None:
    found = open_image(encoded(Image.fromarray(values), "TIFF")).image
    assert [found.getpixel((x, 0))[0] for x in range(3)] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WebP", "TIFF", AVIF])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    later = [Image.new("RGB", (80, 60), color) for color in ("black", "yellow")]
    found = open_image(encoded(quarters(), kind, save_all=True, append_images=later))
    assert corner_names(found.image) == ["red", "green", "blue", "white"]
