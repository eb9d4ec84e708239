"""Previews have at most 500 bytes and resemble their picture."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from snapseek.images import MAX_PREVIEW_BYTES, make_preview
from snapseek.images.preview import mean_color
from tests.support.structural_similarity import likeness, mean_ssim, open_preview


def noise(width: int, height: int) -> Image.Image:
    return blocks(width, height, block=1, contrast=255, seed=7)


def blocks(width: int, height: int, *, block: int, contrast: int, seed: int) -> Image.Image:
    """Squares of `block` pixels of random colors."""
    shape = (-(-height // block), -(-width // block), 3)
    rough = np.random.default_rng(seed).integers(0, contrast + 1, shape, dtype=np.uint8)
    return Image.fromarray(rough.repeat(block, axis=0).repeat(block, axis=1)[:height, :width])


def scene() -> Image.Image:
    """A picture with a sky, a hill and a sun, 640 x 480."""
    rows = np.linspace(0, 1, 480)[:, None, None]
    sky = (np.array([120, 170, 230]) * (1 - rows) + np.array([240, 220, 190]) * rows).repeat(640, axis=1)
    picture = Image.fromarray(sky.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((430, 60, 530, 160), fill="#ffd23c")
    draw.polygon([(0, 480), (220, 220), (420, 400), (520, 330), (640, 480)], fill="#3f6b3a")
    return picture


@pytest.mark.parametrize("size", [(64, 64), (1000, 700), (5000, 1), (1, 5000), (16, 16), (3, 900), (300, 20)])
def test_noise_fits_the_bound(size: tuple[int, int]) -> None:
    assert len(make_preview(noise(*size)).data) <= MAX_PREVIEW_BYTES


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    block=st.integers(1, 40),
    contrast=st.integers(0, 255),
    seed=st.integers(0, 99),
)
def test_any_picture_fits_and_is_one_webp_file(
    width: int, height: int, block: int, contrast: int, seed: int
) -> None:
    data = make_preview(blocks(width, height, block=block, contrast=contrast, seed=seed)).data
    assert len(data) <= MAX_PREVIEW_BYTES
    assert data[:4] == b"RIFF"
    assert int.from_bytes(data[4:8], "little") + 8 == len(data)
    assert max(open_preview(data).size) <= 144


def test_one_pixel_stays_one_pixel() -> None:
    preview = make_preview(Image.new("RGB", (1, 1), (250, 20, 30)))
    assert open_preview(preview.data).size == (1, 1)
    assert preview.color == "#fa141e"


def test_a_preview_keeps_the_shape() -> None:
    width, height = open_preview(make_preview(scene()).data).size
    assert width / height == pytest.approx(640 / 480, rel=0.02)


def test_a_preview_is_lossy_webp_without_metadata() -> None:
    picture = scene()
    picture.info["exif"] = b"Exif\0\0secret"
    picture.info["icc_profile"] = b"secret profile"
    data = make_preview(picture).data
    assert data[12:16] == b"VP8 "
    assert b"secret" not in data


def test_a_preview_looks_like_its_picture_and_not_like_another() -> None:
    picture = scene()
    preview = make_preview(picture).data
    assert likeness(picture, preview) > 0.9
    assert likeness(picture.transpose(Image.Transpose.ROTATE_180), preview) < 0.8


def test_the_same_picture_gives_the_same_bytes() -> None:
    assert make_preview(scene()) == make_preview(scene())


def test_smooth_pictures_get_more_pixels_than_detailed_ones() -> None:
    calm = open_preview(make_preview(scene()).data)
    busy = open_preview(make_preview(blocks(640, 480, block=8, contrast=255, seed=7)).data)
    assert max(calm.size) > max(busy.size)


@pytest.mark.parametrize(
    ("left", "right", "mean"), [("#000000", "#ffffff", 127.5), ("#102030", "#102030", 16)]
)
def test_the_colour_is_the_mean_of_stored_values(left: str, right: str, mean: float) -> None:
    picture = Image.new("RGB", (40, 10), left)
    picture.paste(right, (20, 0, 40, 10))
    assert int(mean_color(picture)[1:3], 16) == pytest.approx(mean, abs=1)


def test_the_colour_is_the_preview_seen_from_far_away() -> None:
    preview = make_preview(scene())
    far = open_preview(preview.data).resize((1, 1), Image.Resampling.BOX).tobytes()
    assert np.abs(np.frombuffer(bytes.fromhex(preview.color[1:]), np.uint8) - np.int16(list(far))).max() <= 4


def test_likeness_of_a_picture_to_itself_is_one() -> None:
    target = io.BytesIO()
    scene().resize((256, 192)).save(target, "WEBP", lossless=True)
    assert likeness(scene().resize((256, 192)), target.getvalue()) == pytest.approx(1.0)


def test_ssim_of_a_shifted_constant_is_the_brightness_term() -> None:
    a, b = np.full((20, 30), 100.0), np.full((20, 30), 120.0)
    assert mean_ssim(a, b) == pytest.approx((2 * 100 * 120 + 6.5025) / (100**2 + 120**2 + 6.5025))
