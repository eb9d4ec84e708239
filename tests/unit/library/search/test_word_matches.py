import numpy as np
import pytest

from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.search.word_matches import (
    EVERY_WORD,
    best_matches,
    field_names,
    word_matches,
)
from snapseek.library.storage.rows import RowRef
from tests.support.record_files import write_records

ROWS = [
    {"folder": "trips/Italy 2019", "name": "IMG_1.jpg", "caption": "a castle"},
    {"folder": "trips/spain", "name": "italy.jpg"},
    {"folder": "", "tags": ["Italy", "castle"]},
    {"folder": "", "title": "Castles of Italy"},
    {"folder": "", "caption": None},
    *({"folder": "other", "name": f"{number}.jpg"} for number in range(30)),
]


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    path = tmp_path_factory.mktemp("words")
    return [ColumnStore(write_records(path / f"{part}.arrow", ROWS[part::2])) for part in (0, 1)]


def found(stores, text, masks=(None, None)):
    return {
        int(row) * 2 + part: (field_names(int(bits)), bool(bits & EVERY_WORD))
        for part, entry in enumerate(word_matches(stores, masks, text))
        for row, bits in zip(entry.rows, entry.fields, strict=True)
    }


def test_each_field_is_found_and_named(stores):
    assert found(stores, "italy") == {
        0: (("folder name",), True),
        1: (("file name",), True),
        2: (("tag",), True),
        3: (("title",), True),
    }
    assert found(stores, "zebra") == {}


def test_rows_with_every_word_are_marked(stores):
    assert found(stores, "castle in Italy") == {
        0: (("folder name", "caption"), True),
        1: (("file name",), False),
        2: (("tag",), True),
        3: (("title",), True),
    }
    assert not any(is_whole for _, is_whole in found(stores, "italy zebra").values())


def test_a_word_of_most_pictures_does_not_count(stores):
    assert found(stores, "jpg") == {}
    assert set(found(stores, "italy jpg")) == {0, 1, 2, 3}
    assert all(is_whole for _, is_whole in found(stores, "italy jpg").values())


def test_only_rows_of_the_mask_are_found(stores):
    masks = [np.zeros(store.rows, np.bool_) for store in stores]
    masks[1][0] = True
    assert set(found(stores, "italy", masks)) == {1}


def test_the_best_have_more_and_rarer_words_and_then_those_preferred(stores):
    matches = word_matches(stores, (None, None), "castle italy")
    best = [row for _, row, _ in best_matches(matches, (), (), 10)]
    assert best == [RowRef(0, 0), RowRef(0, 1), RowRef(1, 1), RowRef(1, 0)]
    preferred = [row for _, row, _ in best_matches(matches, (), {RowRef(1, 1)}, 1)]
    assert preferred == [RowRef(1, 1)]
    assert [row for _, row, _ in best_matches(matches, {RowRef(0, 0)}, (), 2)] == [
        RowRef(0, 1),
        RowRef(1, 1),
    ]
