import math

import numpy as np
import pytest

from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.search.bm25 import bm25_scores, query_words
from tests.support.record_files import write_records

ROWS = [
    {"caption": "a dog on a red sofa"},
    {"caption": "dogs", "name": "IMG_1.jpg"},
    {"name": "red-dog.jpg", "caption": None},
    {"tags": ["red dog", "sofa"]},
    {"title": "The sofa"},
    {},
]


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    path = tmp_path_factory.mktemp("words")
    return [ColumnStore(write_records(path / f"{part}.arrow", ROWS[part::2])) for part in (0, 1)]


def found(stores, text, allowed=(None, None)):
    parts = bm25_scores(stores, allowed, text)
    return {
        int(row) * 2 + part: float(score)
        for part, entry in enumerate(parts)
        for row, score in zip(entry.rows, entry.scores, strict=True)
    }


def test_words_that_say_nothing_are_left_out():
    assert query_words("A photo of the red dogs, a Dog") == ["red", "dogs", "dog"]
    assert query_words("the photo") == ["the", "photo"]
    assert query_words("!") == []


def test_every_field_and_plural_is_found(stores):
    assert set(found(stores, "dog")) == set(found(stores, "dogs")) == {0, 1, 2, 3}
    assert set(found(stores, "sofa")) == {0, 3, 4}
    assert set(found(stores, "jpg")) == {1, 2}
    assert set(found(stores, "img 1")) == {1}
    assert found(stores, "zebra") == {}


def test_more_and_rarer_words_and_shorter_texts_come_first(stores):
    scores = found(stores, "red dog sofa")
    assert set(scores) == {0, 1, 2, 3, 4}
    assert max(scores, key=scores.get) == 3
    assert scores[0] > scores[2] > scores[1]
    assert found(stores, "sofa")[4] > found(stores, "sofa")[0]


def test_only_allowed_rows_are_found(stores):
    allowed = [np.array([True, False, False]), np.array([False, True, False])]
    assert set(found(stores, "dog", allowed)) == {0, 3}


def test_scores_are_those_of_bm25(stores):
    lengths = [6, 4, 3, 0, 2, 0]  # words of caption, title and name
    mean = sum(lengths) / 6
    rarity = math.log1p((6 - 4 + 0.5) / (4 + 0.5))
    for row, score in found(stores, "dog").items():
        assert score == pytest.approx(rarity * 2.2 / (1 + 1.2 * (0.6 + 0.4 * lengths[row] / mean)), rel=1e-5)
