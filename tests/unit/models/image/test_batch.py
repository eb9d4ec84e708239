import numpy as np
import pytest
from PIL import Image

from snapseek.models.image.batch import Batch
from snapseek.models.image.image_processor import ImageProcessor
from snapseek.models.onnx.session import Port

PIXELS = ImageProcessor.from_config(
    {"size": 8, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4], "resample": 3}
)
PLANES, ROWS = (None, 3, 8, 8), (None, 8, 8, 3)


def picture(seed):
    values = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
    return Image.fromarray(values)


def filled(shape, dtype, size, count):
    batch = Batch(Port("pixels", shape, dtype), PIXELS, size)
    for seed in range(count):
        batch.add(picture(seed))
    return batch


def test_each_picture_is_normalized_into_its_row():
    batch = filled(PLANES, np.float32, 3, 2)
    assert len(batch) == 2
    assert not batch.is_full
    expected = [
        (np.asarray(PIXELS.squared(picture(seed)), np.float64) / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.4]
        for seed in (0, 1)
    ]
    assert batch.feed().dtype == np.float32
    np.testing.assert_allclose(batch.feed().transpose(0, 2, 3, 1), expected, atol=2e-6)


def test_channels_last_and_bytes():
    floats = filled(ROWS, np.float32, 2, 2)
    assert floats.is_full
    np.testing.assert_array_equal(
        floats.feed().transpose(0, 3, 1, 2), filled(PLANES, np.float32, 2, 2).feed()
    )
    plain = filled(ROWS, np.uint8, 2, 2).feed()
    assert plain.dtype == np.uint8
    np.testing.assert_array_equal(plain[1], PIXELS.squared(picture(1)))
    np.testing.assert_array_equal(filled(PLANES, np.uint8, 2, 2).feed(), plain.transpose(0, 3, 1, 2))


def test_a_fixed_batch_is_filled_with_the_first_picture():
    batch = filled((3, 3, 8, 8), np.float32, 3, 1)
    assert batch.feed().shape == (3, 3, 8, 8)
    np.testing.assert_array_equal(batch.feed()[2], PIXELS.tensor(picture(0)))


def test_the_same_memory_serves_again():
    batch = filled(PLANES, np.float32, 2, 2)
    before = batch.feed()
    batch.clear()
    batch.add(picture(7))
    assert len(batch) == 1
    assert np.shares_memory(before, batch.feed())
    np.testing.assert_array_equal(batch.feed()[0], PIXELS.tensor(picture(7)))


def test_a_full_batch_is_full():
    batch = filled(PLANES, np.float32, 2, 2)
    with pytest.raises(IndexError):
        batch.add(picture(3))
