import numpy as np
import pytest

from snapseek.library import Library
from snapseek.library.indexing import measure_background as module
from snapseek.library.indexing.measure_background import measure_background, prepare_background
from snapseek.models import Encoder
from snapseek.models.queries.background import load_background
from tests.conftest import PICTURES, write_pictures


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """Use three JPEG files as the pictures of the package, and an empty cache."""
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "packaged"
    for name in "abc":
        write_pictures(folder / name)
    monkeypatch.setattr(module, "DEMO_PICTURES", folder)


def test_it_is_measured_when_a_folder_has_as_many_pictures(packaged, encoder):
    prepare_background(encoder, 2)
    assert load_background(encoder) is None
    prepare_background(encoder, 3)
    assert load_background(encoder).mean.shape == (encoder.dim,)


def test_an_index_measures_the_background_of_its_model(packaged, encoder, folder, tmp_path):
    assert len(PICTURES) >= 3
    Library.build(folder, tmp_path / "l", encoder=encoder)
    assert load_background(encoder) is not None


def test_a_tower_that_fails_on_a_picture_leaves_the_index_alone(packaged, encoder, monkeypatch):
    def embed(images):
        raise module.PictureError("no vector")

    monkeypatch.setattr(encoder, "embed_images", embed)
    prepare_background(encoder, 100)
    assert load_background(encoder) is None


@pytest.mark.slow
def test_the_starter_ships_with_the_background_of_the_demo_pictures():
    starter = Encoder.load("starter")
    shipped, measured = load_background(starter), measure_background(starter)
    assert shipped.threshold == pytest.approx(measured.threshold, abs=2e-3)
    np.testing.assert_allclose(shipped.mean, measured.mean, atol=1e-3)
