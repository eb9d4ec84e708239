from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snapseek.library import Library
from snapseek.library.search.relevance import relevant_count
from snapseek.models import Encoder
from snapseek.models.queries.background import Background, store_background

PICTURES = Path(__file__).resolve().parents[4] / "demo" / "pictures"


@pytest.fixture(scope="module")
def starter() -> Encoder:
    return Encoder.load("starter")


def test_the_first_place_below_the_threshold():
    assert relevant_count([0.9, 0.5, 0.2, 0.1], 0.3) == 2
    assert relevant_count([0.9, 0.5], 0.3) is None
    assert relevant_count([0.2], 0.3) == 0
    assert relevant_count([None, 0.2], 0.3) == 1
    assert relevant_count([], 0.3) is None


def test_a_library_of_few_pictures_of_an_unmeasured_model_has_no_count(library, tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))  # other tests measure the model
    fresh = Library.open(library.info().path, encoder=library.encoder)
    assert fresh.search("red", 6).relevant_count is None


def test_an_unmeasured_model_is_measured_on_the_library(tmp_path, encoder):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(30):
        color = (8 * number, 255 - 8 * number, 40 + (number * 37) % 200)
        Image.new("RGB", (20, 20), color).save(folder / f"{number}.png")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert library.search("red", 30).relevant_count is not None


def test_a_measured_background_replaces_that_of_the_library(tmp_path, folder, encoder, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    Library.build(folder, tmp_path / "l", encoder=encoder)
    for threshold, expected in ((-2.0, None), (2.0, 0)):
        mean = np.zeros(encoder.dim, np.float32)
        store_background(encoder, Background(mean, threshold, "demo pictures"))
        library = Library.open(tmp_path / "l", encoder=encoder)
        assert library.search("red", 6).relevant_count == expected


@pytest.mark.slow
def test_what_is_absent_has_no_relevant_result_and_what_is_frequent_has(tmp_path, starter):
    library = Library.build(PICTURES / "music", tmp_path / "l", encoder=starter)
    counts = [library.search(query, 7).relevant_count for query in ("a dog", "pizza", "guitar")]
    # Three of the seven pictures are guitars: they are ordinary there, and still relevant.
    assert counts == [0, 0, 3]


@pytest.mark.slow
def test_added_pictures_leave_the_relevant_results_as_they_are(tmp_path, starter):
    library = Library.build(PICTURES / "music", tmp_path / "l", encoder=starter)
    before = library.search("guitar", 7)
    library.sync([PICTURES / "energy", PICTURES / "birds"])
    after = library.search("guitar", 30)
    assert (before.relevant_count, after.relevant_count, len(after)) == (3, 3, 30)
    assert [hit.uri for hit in after[:3]] == [hit.uri for hit in before[:3]]


@pytest.mark.slow
def test_a_query_by_a_picture_has_no_count(tmp_path, starter):
    library = Library.build(PICTURES / "music", tmp_path / "l", encoder=starter)
    picture = next((PICTURES / "music").glob("*.jpg"))
    assert library.search(picture, 7).relevant_count is None
    assert library.search(["drum", picture], 7).relevant_count is None
    assert library.search("drum", 7).relevant_count is not None
