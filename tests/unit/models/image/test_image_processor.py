from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from snapseek.errors import ModelError
from snapseek.models.image.image_processor import ImageProcessor

CONFIG = {
    "size": 224,
    "crop_size": 224,
    "resample": 3,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.3, 0.4],
}


def reference(image, policy):
    """The order of the published pipelines: resize the shorter side, crop the center, normalize."""
    shorter = min(image.size)
    size = [int(policy.resize_px * side / shorter) for side in image.size]
    resized = image.resize(size, Image.Resampling(policy.resample))
    spare = [side - policy.crop_px for side in size]
    left, top = (side // 2 if policy.floored else round(side / 2) for side in spare)
    cropped = resized.crop((left, top, left + policy.crop_px, top + policy.crop_px))
    pixels = np.asarray(cropped, np.float32) / 255
    return ((pixels - np.array(policy.mean)) / np.array(policy.std)).transpose(2, 0, 1)


@pytest.mark.parametrize(
    "size", [(224, 224), (500, 375), (375, 500), (1001, 333), (100, 80), (225, 224), (640, 641)]
)
@pytest.mark.parametrize("resize_px", [224, 256])
@pytest.mark.parametrize("dialect", ["hugging face", "open clip"])
def test_one_call_gives_what_resize_and_crop_give(size, resize_px, dialect):
    rng = np.random.default_rng(sum(size))
    image = Image.fromarray(rng.integers(0, 256, (size[1] // 4 + 1, size[0] // 4 + 1, 3), np.uint8)).resize(
        size
    )
    policy = ImageProcessor.from_config(CONFIG | {"size": {"shortest_edge": resize_px}})
    if dialect == "open clip":
        policy = replace(policy, floored=None)
    difference = (
        np.abs(policy.tensor(image) - reference(image, policy)) * np.array(policy.std)[:, None, None] * 255
    )
    assert difference.max() <= 1.01
    assert difference.mean() < 0.05


@pytest.mark.parametrize(("dialect", "column"), [("hugging face", 1), ("open clip", 2)])
def test_center_between_two_pixels_of_each_config_dialect(dialect, column):
    policy = ImageProcessor.from_config({"size": 8, "do_normalize": False})
    if dialect == "open clip":
        policy = ImageProcessor.from_config({"size": 8, "mean": [0, 0, 0], "std": [1, 1, 1]})
    image = Image.fromarray(np.tile(np.arange(11, dtype=np.uint8)[None, :, None], (8, 1, 3)))
    np.testing.assert_array_equal(policy.squared(image)[0, :, 0], np.arange(column, column + 8))


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_strips_and_single_pixels(size):
    tensor = ImageProcessor.from_config(CONFIG).tensor(Image.new("RGB", size, (255, 0, 0)))
    assert tensor.shape == (3, 224, 224)
    np.testing.assert_allclose(tensor[0], (1 - 0.5) / 0.2, rtol=1e-5)


def test_a_size_of_height_and_width_squeezes_the_whole_picture():
    policy = ImageProcessor.from_config(CONFIG | {"size": {"height": 8, "width": 8}})
    image = Image.new("RGB", (80, 16), "red")
    image.paste("blue", (40, 0, 80, 16))
    blue = policy.tensor(image)[2] * 0.4 + 0.3
    np.testing.assert_allclose(blue[:, :3], 0, atol=0.02)
    np.testing.assert_allclose(blue[:, 5:], 1, atol=0.02)
    assert policy.crop_px == 8


def test_normalization_can_be_disabled():
    policy = ImageProcessor.from_config(
        {"size": 8, "do_normalize": False, "crop_size": {"height": 8, "width": 8}}
    )
    np.testing.assert_allclose(
        policy.tensor(Image.new("RGB", (8, 8), (51, 102, 255)))[:, 0, 0], [0.2, 0.4, 1], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "crop <= resize"),
        ({"size": 100_000, "crop_size": 100_000}, "crop <= resize"),
        ({"crop_size": 300}, "crop <= resize"),
        ({"size": {"height": 224, "width": 200}}, "square"),
        ({"resample": 9}, "resample"),
        ({"image_std": [0, 1, 1]}, "image_std"),
        ({"image_mean": [0.5]}, "image_mean"),
    ],
)
def test_an_invalid_preprocessor_config_is_rejected(change, message):
    with pytest.raises(ModelError, match=message):
        ImageProcessor.from_config(CONFIG | change)


OPEN_CLIP = {
    "size": [8, 8],
    "mode": "RGB",
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.3, 0.4],
    "interpolation": "bilinear",
    "resize_mode": "shortest",
    "fill_color": 0,
}


def test_both_config_dialects_agree():
    of_hugging_face = CONFIG | {"size": 8, "crop_size": 8, "resample": 2}
    policy = ImageProcessor.from_config(OPEN_CLIP)
    assert policy == replace(ImageProcessor.from_config(of_hugging_face), floored=None)
    assert policy == ImageProcessor.from_config(OPEN_CLIP | {"size": 8})
    squashed = ImageProcessor.from_config(OPEN_CLIP | {"resize_mode": "squash"})
    assert squashed == ImageProcessor.from_config(of_hugging_face | {"size": {"height": 8, "width": 8}})
    shorter = {name: OPEN_CLIP[name] for name in ("size", "mean", "std")}
    assert ImageProcessor.from_config(shorter) == replace(policy, resample=3)


def test_the_longest_side_fits_and_the_square_is_padded():
    policy = ImageProcessor.from_config(OPEN_CLIP | {"resize_mode": "longest", "fill_color": 128})
    pixels = policy.squared(Image.new("RGB", (80, 40), (255, 0, 0)))
    assert pixels.shape == (8, 8, 3)
    np.testing.assert_array_equal(pixels[:2], np.full((2, 8, 3), 128))
    np.testing.assert_array_equal(pixels[2:6], np.full((4, 8, 3), (255, 0, 0)))
    np.testing.assert_array_equal(pixels[6:], np.full((2, 8, 3), 128))
    assert policy.squared(Image.new("RGB", (1, 5_000))).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("change", "scale"),
    [
        ({}, 1 / 255),
        ({"rescale_factor": 1 / 255}, 1 / 255),
        ({"rescale_factor": 0.5}, 0.5),
        ({"do_rescale": False}, 1.0),
        ({"do_rescale": False, "rescale_factor": 0.5}, 1.0),
    ],
)
def test_rescaling_is_what_the_configuration_says(change, scale):
    policy = ImageProcessor.from_config({"size": 8, "do_normalize": False} | change)
    np.testing.assert_allclose(policy.tensor(Image.new("RGB", (8, 8), (51, 0, 0)))[0], 51 * scale, rtol=1e-5)


def test_clip_itself():
    policy = ImageProcessor.of_clip(32)
    assert (policy.crop_px, policy.resample, policy.squeezed) == (32, 3, False)
    assert policy.mean == (0.48145466, 0.4578275, 0.40821073)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": [8, 9]}, "square"),
        ({"size": [8]}, "preprocess_cfg"),
        ({"interpolation": "magic"}, "preprocess_cfg"),
        ({"resize_mode": "none"}, "shortest, squash or longest"),
        ({"mean": [0.5]}, "preprocess_cfg"),
        ({"std": [0, 1, 1]}, "above 0"),
    ],
)
def test_an_invalid_preprocess_cfg_is_rejected(change, message):
    with pytest.raises(ModelError, match=message):
        ImageProcessor.from_config(OPEN_CLIP | change)
