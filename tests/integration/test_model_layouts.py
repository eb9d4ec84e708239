"""Each model layout loads, with the right text and image vectors and the right preprocessing."""

import numpy as np
import pytest
from PIL import Image

from snapseek.models import Encoder
from tests.support.model_specimens import SPECIMENS

TEXTS = ["dog", "a photo of snow", "two old red cars"]


@pytest.fixture(scope="module", params=SPECIMENS, ids=lambda specimen: specimen.name)
def case(request, tmp_path_factory):
    specimen = request.param
    folder = tmp_path_factory.mktemp("zoo")
    specimen.write(folder)
    return specimen, Encoder.load(folder / specimen.open_in)


def pictures():
    rng = np.random.default_rng(5)
    sizes = [(40, 30), (16, 16), (30, 50)]
    blots = [rng.integers(0, 256, (3, 4, 3), np.uint8) for _ in sizes]
    return [
        Image.fromarray(blot).resize(size, Image.Resampling.BICUBIC)
        for blot, size in zip(blots, sizes, strict=True)
    ]


def test_loads_as_the_layout_that_it_is(case):
    specimen, encoder = case
    assert encoder.files.layout.kind == specimen.kind


def test_text_vectors_are_right(case):
    specimen, encoder = case
    found = encoder.embed_texts(TEXTS)
    np.testing.assert_allclose(found, [specimen.text(text) for text in TEXTS], atol=2e-6)


def test_capitals_change_nothing(case):
    _, encoder = case
    np.testing.assert_array_equal(encoder.embed_texts(["A Photo of Snow"]), encoder.embed_texts([TEXTS[1]]))


def test_a_long_text_is_cut_before_the_graph(case):
    _, encoder = case
    assert np.isfinite(encoder.embed_texts([" ".join(["dog"] * 300)])).all()


def test_image_vectors_are_right(case):
    specimen, encoder = case
    found = encoder.embed_images(pictures())
    np.testing.assert_allclose(found, [specimen.image(image) for image in pictures()], atol=0.01)


def test_policy_is_found(case):
    specimen, encoder = case
    policy = encoder.text.config
    assert (policy.unpadded, policy.pad_id, policy.context_length) == (
        specimen.unpadded,
        specimen.pad_id,
        specimen.length,
    )
    assert encoder.image.batch_size == specimen.batch
    assert policy.dim == encoder.dim


def test_the_zoo_has_all_seven():
    assert {specimen.kind for specimen in SPECIMENS} == {
        "split",
        "fused",
        "root",
        "size folder",
        "immich",
        "static pair",
        "sentence-transformers",
    }
