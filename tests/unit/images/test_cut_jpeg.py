"""snapseek.images.cut_jpeg: JPEG files whose end is missing are read as browsers read them."""

import io
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from snapseek.images import open_image
from tests.support.sample_pictures import corner_names, encoded, quarters, reason_for

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8))
KINDS: Mapping[str, Mapping[str, object]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "optimized": {"optimize": True},
    "unsampled": {"subsampling": 0, "quality": 95},
    "grey": {},
}


def jpeg(kind: str, picture: Image.Image = NOISE) -> bytes:
    return encoded(picture.convert("L") if kind == "grey" else picture, "JPEG", **KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [1, 2, 3, 100])
def test_a_file_without_its_last_bytes_is_read_and_marked(kind, missing):
    found = open_image(jpeg(kind)[:-missing])
    assert (found.width, found.height, found.is_truncated) == (200, 150, True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_is_not_marked(kind):
    data = jpeg(kind)
    assert not open_image(data).is_truncated
    assert not open_image(data + b"\0" * 100 + b"MotionPhoto_Data").is_truncated


def test_the_part_that_is_there_is_shown():
    data = encoded(quarters(800, 600), "JPEG", quality=95)
    cut = open_image(data[: len(data) * 6 // 10])
    assert corner_names(cut.image)[:2] == ["red", "green"]
    assert cut.is_truncated


def test_shrinking_reads_a_cut_file_too(tmp_path):
    data = encoded(NOISE.resize((1600, 1200)), "JPEG")
    (tmp_path / "a.jpg").write_bytes(data[: len(data) * 9 // 10])
    found = open_image(tmp_path / "a.jpg", min_side=100)
    assert (found.image.size, found.width, found.is_truncated) == ((400, 300), 1600, True)


@given(kind=st.sampled_from(list(KINDS)), share=st.floats(0, 1))
def test_any_cut_through_the_pixels_is_read(kind, share):
    data = jpeg(kind)
    first = data.index(b"\xff\xda") + 64
    cut = first + int(share * (len(data) - 1 - first))
    assert open_image(data[:cut]).is_truncated


def test_a_file_without_pixels_is_refused():
    data = jpeg("baseline")
    for cut in range(20, data.index(b"\xff\xda") + 20, 37):
        assert "JPEG" in reason_for(data[:cut])


def test_the_settings_of_pillow_stay():
    from PIL import ImageFile

    open_image(jpeg("baseline")[:-2])
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(jpeg("baseline")[:-200])).load()
