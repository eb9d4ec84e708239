"""snapseek.library.columns.fulltext, with frequent words as bitmaps."""

import numpy as np
import pytest

from snapseek.library.columns.column_builder import text_index
from snapseek.library.columns.fulltext import FullTextArrays, FullTextIndex, TextScan
from snapseek.library.filters.text_normalize import casefold_text
from tests.support.filter_oracle import _compare_text
from tests.support.record_files import write_records

NOUNS = ["gate", "gates", "barn", "été", "東京", "x100v"]
SMALL = ["red", "green", "old", "very"]


@pytest.fixture(scope="module")
def captions():
    rng = np.random.default_rng(1)
    texts = [
        None
        if rng.random() < 0.1
        else "a " + " ".join(rng.permutation(SMALL)[:2]) + " " + str(rng.choice(NOUNS))
        for _ in range(900)
    ]
    return [
        *texts,
        "",
        "!!",
        "Unique red, gate",
        "gate red",
        "rare rare rare",
        "a gate is one of a very red barn here",
    ]


@pytest.fixture(scope="module")
def facet(captions, tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "r.arrow"
    found = text_index(write_records(path, [{"caption": text} for text in captions]), "caption")
    assert isinstance(found, FullTextIndex)
    return found


@pytest.mark.parametrize(
    "value",
    [
        "red",
        "a",
        "red gate",
        "red ga*",
        "d*",
        "gate red",
        "unique red gate",
        "none",
        "red none",
        "東 京",
        "ete",
        "rare rare",
        "very old h*",
        "gate a",
    ],
)
def test_words_in_sequence(facet, captions, value):
    expected = [text is not None and _compare_text("contains", text, value) for text in captions]
    assert facet.mask("contains", value).tolist() == expected


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("=", "Unique red, gate"),
        ("=", ""),
        ("=", "!!"),
        ("prefix", "A old"),
        ("prefix", ""),
        ("prefix", "gate re"),
        ("<", "a"),
        (">=", "u"),
    ],
)
def test_other_operators_read_the_texts(facet, captions, operator, value):
    expected = [text is not None and _compare_text(operator, text, value) for text in captions]
    assert facet.mask(operator, casefold_text(value)).tolist() == expected


def test_frequent_words_have_bitmaps_and_rare_ones_lists(facet):
    codes = {word: facet.span(word)[0] for word in ("a", "rare")}
    assert facet.index.bitmap_slot[codes["a"]] >= 0
    assert facet.index.bitmap_slot[codes["rare"]] == -1
    for word, code in codes.items():
        assert facet.count(code) == np.count_nonzero(facet.mask("contains", word))


def test_lengths_and_presence(facet, captions):
    assert facet.lengths()[-6:].tolist() == [0, 0, 3, 2, 3, 10]
    assert facet.mask("exists", True).tolist() == [text is not None for text in captions]


def test_rows_beyond_the_last_are_refused(facet):
    arrays = facet.index.arrays()
    with pytest.raises(ValueError, match="rows beyond"):
        FullTextArrays.from_arrays(arrays | {"rows": np.array([10_000], np.int32)})


def test_a_column_without_words_is_scanned(tmp_path):
    texts = [f"https://pictures.example/{number}" for number in range(5000)]
    found = text_index(write_records(tmp_path / "r.arrow", [{"uri": text} for text in texts]), "uri")
    assert isinstance(found, TextScan)
    assert np.flatnonzero(found.mask("=", texts[77])).tolist() == [77]
    assert np.count_nonzero(found.mask("prefix", "https://pictures.example/12")) == 111
    assert np.flatnonzero(found.mask("in", (texts[1], texts[4999]))).tolist() == [1, 4999]
    assert found.mask_of_rows(np.array([1, 77, 3000], np.int32), "=", texts[77]).tolist() == [
        False,
        True,
        False,
    ]
