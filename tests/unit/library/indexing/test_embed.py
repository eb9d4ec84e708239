import io
import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from snapseek.images import open_image
from snapseek.library.indexing import embed
from snapseek.library.indexing.embed import embed_pictures
from snapseek.library.paths import DEMO_PICTURES
from snapseek.models import Encoder
from snapseek.sources import Picture, find_pictures
from tests.support.tiny_model import write_tiny_model

COUNT = 37


@pytest.fixture
def folder(tmp_path):
    """Many colours; number 5 is broken, number 20 is empty."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(3)
    for number in range(COUNT):
        color = tuple(int(level) for level in rng.integers(0, 256, 3))
        Image.new("RGB", (30 + number, 40), color).save(pictures / f"{number:02}.png")
    (pictures / "05.png").write_bytes((pictures / "06.png").read_bytes()[:60])
    (pictures / "20.png").write_bytes(b"")
    return pictures


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_outcomes_are_in_order_and_match_their_pictures(folder, encoder, threads):
    pictures = list(find_pictures(folder))
    outcomes = list(embed_pictures(pictures, encoder, threads))
    assert [outcome.picture for outcome in outcomes] == pictures
    broken = [outcome.picture.name for outcome in outcomes if outcome.reason is not None]
    assert broken == ["05.png", "20.png"]
    for outcome in outcomes:
        if outcome.reason is None:
            alone = encoder.embed_images([open_image(outcome.picture.path).image])
            np.testing.assert_allclose(outcome.vector, alone, atol=1e-6)
            assert outcome.record["width"] == 30 + int(outcome.picture.name[:2])
            assert 0 < len(outcome.record["preview"]) <= 500


def test_a_zero_vector_does_not_fail_its_batch(tmp_path):
    model = Encoder.load(write_tiny_model(tmp_path / "model", mean=[1.0, 0.0, 0.0]))
    for name, color in (("a", "blue"), ("b", "red"), ("c", "white")):
        Image.new("RGB", (9, 9), color).save(tmp_path / f"{name}.png")
    found = list(embed_pictures(find_pictures(tmp_path), model, threads=2))
    assert [outcome.reason for outcome in found] == [None, "the model finds nothing in this picture", None]
    assert [outcome.vector is None for outcome in found] == [False, True, False]


def test_no_pictures_give_no_outcomes(encoder):
    assert list(embed_pictures([], encoder, threads=2)) == []


def test_a_fixed_batch_of_one_is_kept(folder, tmp_path):
    from tests.support.model_specimens import write_immich

    write_immich(tmp_path / "model")
    outcomes = list(embed_pictures(find_pictures(folder), Encoder.load(tmp_path / "model"), threads=2))
    assert len(outcomes) == COUNT


def test_read_ahead_is_bounded(folder, encoder, monkeypatch):
    read, lock = [], threading.Lock()

    def counted(path, **options):
        with lock:
            read.append(path)
        return open_image(path, **options)

    monkeypatch.setattr(embed, "open_image", counted)
    monkeypatch.setattr(embed, "_MAX_BATCH", 2)
    outcomes = embed_pictures(find_pictures(folder), encoder, threads=1)
    next(outcomes)
    assert len(read) <= 2 * embed._BATCHES_AHEAD
    outcomes.close()
    assert len(read) <= 2 * embed._BATCHES_AHEAD


def test_an_encoder_error_stops_the_index(folder, tmp_path):
    broken = Encoder.load(write_tiny_model(tmp_path / "model", image_dim=4))
    with pytest.raises(Exception, match="different models"):
        list(embed_pictures(find_pictures(folder), broken, threads=2))


def test_a_photograph_shrunk_while_it_is_read_keeps_its_vector():
    """A demo picture at 4 megapixels: read whole, and by the JPEG decoder at a fraction."""
    starter, data = Encoder.load(), io.BytesIO()
    small = Image.open(sorted(DEMO_PICTURES.rglob("*.jpg"))[0])
    small.resize((small.width * 6, small.height * 6), Image.Resampling.BICUBIC).save(data, "JPEG", quality=90)
    whole = open_image(data.getvalue()).image
    shrunk = open_image(data.getvalue(), min_side=starter.image.picture_side_px).image
    assert shrunk.width <= whole.width / 2
    assert min(shrunk.size) >= 2 * starter.image.picture_side_px
    first, second = starter.embed_images([whole]), starter.embed_images([shrunk])
    assert (first @ second.T)[0, 0] >= 0.995


def test_a_batch_ends_where_its_pictures_take_much_memory(tmp_path):
    large = Picture(tmp_path, "a", data=bytes(embed._MAX_BATCH_BYTES))
    texts = Picture(tmp_path, "a", data=b"a", columns={"note": ["a" * embed._MAX_BATCH_BYTES]})
    small = Picture(tmp_path, "b")
    batches = embed._batched([small, large, texts, *[small] * 5, large], 3)
    assert [len(batch) for batch in batches] == [2, 1, 3, 3]


def test_an_outcome_does_not_keep_the_file(folder, encoder):
    pictures = [replace(picture, data=picture.path.read_bytes()) for picture in find_pictures(folder)]
    outcomes = list(embed_pictures(pictures, encoder, threads=2))
    assert len(outcomes) == COUNT
    assert all(outcome.picture.data is None for outcome in outcomes)
