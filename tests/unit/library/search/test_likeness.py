"""Whether two pictures are the same one."""

import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from snapseek.images.preview import make_preview
from snapseek.library.search.likeness import (
    UNSEEN_COSINE,
    CosineBars,
    Look,
    PictureFacts,
    PreviewComparison,
    facts_of,
)
from tests.support.vector_rows import unit_rows

BARS = CosineBars(near=0.7, close=0.9)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def scene(seed):
    values = np.random.default_rng(seed).integers(0, 255, (7, 9, 3), np.uint8)
    return Image.fromarray(values).resize((360, 280), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("meta", "taken"),
    [
        ({"taken": "2024-05-01T12:00:00.000000Z", "taken_from": "exif"}, NOON),
        ({"taken": "2024-05-01T12:00:00.000000Z"}, NOON),
        ({"taken": NOON}, NOON),
        ({"taken": "2024-05-01T12:00:00.000000Z", "taken_from": "file name"}, None),
        ({"taken": "last summer"}, None),
        ({"taken": 7}, None),
        ({}, None),
    ],
)
def test_only_a_time_of_the_camera_counts(meta, taken):
    assert facts_of(60, None, None, meta) == PictureFacts(b"", 60, 0, taken)


def facts(image, taken=None):
    return PictureFacts(make_preview(image).data, *image.size, taken)


def is_same(first, second, cosine, bars=BARS):
    looks = [Look(first), Look(second)]
    return PreviewComparison(lambda numbers: [looks[number] for number in numbers], bars).alike(
        0, [1], [cosine]
    ) == [1]


def test_a_smaller_file_of_the_same_picture_is_a_duplicate():
    whole = scene(1)
    assert is_same(facts(whole), facts(whole.resize((180, 140))), 0.75)
    assert not is_same(facts(whole), facts(whole.resize((180, 140))), 0.65)


def test_a_grey_copy_is_a_duplicate():
    assert is_same(facts(scene(1)), facts(scene(1).convert("L").convert("RGB")), 0.75)


def test_a_crop_is_a_duplicate_of_a_close_vector():
    whole = scene(2)
    cropped = whole.crop((14, 0, 360, 269))
    assert is_same(facts(whole), facts(cropped), 0.95)


@pytest.mark.parametrize("seed", range(5, 11))
def test_other_pixels_are_another_picture_whatever_the_vectors_say(seed):
    assert not is_same(facts(scene(1)), facts(scene(seed)), 0.999)


def test_another_aspect_is_another_picture():
    picture = facts(scene(1))
    assert not is_same(picture, picture._replace(height=150), 0.999)


@pytest.mark.parametrize(
    "unknown",
    [
        PictureFacts(b"", 0, 0),
        PictureFacts(b"damaged", 360, 280),
        facts(Image.new("RGB", (360, 280), (90, 90, 90))),
    ],
)
def test_without_comparable_pixels_the_vectors_must_be_nearly_equal(unknown):
    assert is_same(facts(scene(1)), unknown, UNSEEN_COSINE)
    assert not is_same(facts(scene(1)), unknown, UNSEEN_COSINE - 0.01)


def mixed(share):
    """Return a scene in which a share of another one shines through."""
    return Image.blend(scene(3), scene(4), share)


def test_times_in_the_files_move_the_bar():
    first = scene(3)
    looks = [Look(facts(mixed(share))).fields for share in (0, 0.3)]
    correlation = float(np.corrcoef(looks[0].ravel(), looks[1].ravel())[0, 1])
    assert 0.86 < correlation < 0.95, "the scenes of this test must lie between the bars"
    for apart, expected in (
        (timedelta(seconds=1), True),
        (timedelta(days=3), False),
    ):
        assert is_same(facts(first, NOON), facts(mixed(0.3), NOON + apart), 0.95) == expected
    assert is_same(facts(first, NOON), facts(mixed(0.3)), 0.95)
    naive = NOON.replace(tzinfo=None)
    assert is_same(facts(first, NOON), facts(mixed(0.3), naive + timedelta(days=3)), 0.95)


def test_the_bars_of_a_model_are_quantiles_of_its_background():
    rows = unit_rows(132, dim=24, seed=1)
    bars = CosineBars.of(rows)
    cosines = (rows @ rows.T)[np.triu_indices(132, 1)]
    assert (cosines > bars.near).mean() == pytest.approx(0.01, abs=0.001)
    assert (cosines > bars.close).mean() == pytest.approx(0.001, abs=0.0005)
    same = np.ones((5, 3), np.float32) / np.float32(3**0.5)
    assert CosineBars.of(same) == CosineBars()


def test_a_preview_that_is_no_picture_has_no_look():
    content = io.BytesIO()
    scene(1).save(content, "PNG")
    assert Look(PictureFacts(content.getvalue(), 4, 3)).fields is None
