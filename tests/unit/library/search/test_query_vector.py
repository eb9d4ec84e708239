"""snapseek.library.search.query_vector."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from snapseek.errors import InputError, ItemNotFoundError
from snapseek.library.search.query_vector import QueryVector, combine
from snapseek.library.search.terms import Term


class NoModel:
    """Stored vectors and a lazy encoder that must not be loaded."""

    @property
    def encoder(self):
        raise AssertionError("the model was loaded")

    def vector(self, item):
        if item > 2:
            raise ItemNotFoundError(expected="the id of a picture of this library", got=str(item))
        return np.eye(3, dtype=np.float32)[item]


class Words(NoModel):
    def __init__(self, encoder):
        self._encoder = encoder

    @property
    def encoder(self):
        return self._encoder


@pytest.fixture
def space(encoder):
    return Words(encoder)


def ask(space, *terms):
    return QueryVector([term if isinstance(term, Term) else Term(term) for term in terms], space, space).value


def test_one_text_is_its_own_vector_to_the_bit(space, encoder):
    np.testing.assert_array_equal(ask(space, "a red photo"), encoder.embed_texts(["a red photo"])[0])


def test_terms_are_added_with_their_weights(space, encoder):
    red, blue = encoder.embed_texts(["red", "blue"]).astype(np.float64)
    expected = 2 * red - 0.5 * blue
    found = ask(space, Term("red", 2), Term("blue", -0.5))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-6)


def test_ids_need_no_model():
    np.testing.assert_allclose(ask(NoModel(), 0, Term(1, -1)), [2**-0.5, -(2**-0.5), 0], atol=1e-6)
    with pytest.raises(ItemNotFoundError, match="got 7"):
        ask(NoModel(), 7)


def test_a_query_picture_is_preprocessed_as_in_indexing(space, encoder, tmp_path):
    picture = Image.new("RGB", (40, 30), "cyan")
    picture.save(tmp_path / "a.png")
    expected = encoder.embed_images([picture])[0]
    for subject in (picture, tmp_path / "a.png", Image.open(tmp_path / "a.png"), picture.convert("RGBA")):
        np.testing.assert_allclose(ask(space, subject), expected, atol=1e-6)


def test_a_query_picture_is_rotated_upright(space, encoder, tmp_path):
    picture = Image.new("RGB", (60, 20), "red")
    picture.paste("blue", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    picture.save(tmp_path / "lying.png", exif=exif)
    expected = encoder.embed_images([picture.transpose(Image.Transpose.ROTATE_270)])[0]
    for subject in (tmp_path / "lying.png", Image.open(tmp_path / "lying.png")):
        np.testing.assert_allclose(ask(space, subject), expected, atol=1e-6)


def test_a_home_folder_is_understood(space, encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    Image.new("RGB", (9, 9), "red").save(tmp_path / "a.png")
    np.testing.assert_allclose(ask(space, Path("~/a.png")), encoder.embed_texts(["red"])[0], atol=1e-6)
    with pytest.raises(InputError, match=r"cannot search by ~no-such-user-here/a\.png: there is no user"):
        ask(space, Path("~no-such-user-here/a.png"))


def test_a_picture_that_cannot_be_read_is_named(space, tmp_path):
    with pytest.raises(InputError, match=r"cannot search by .*none\.jpg: the file does not exist"):
        ask(space, tmp_path / "none.jpg")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    with pytest.raises(InputError, match=r"cannot search by .*cut\.png: the PNG file is truncated"):
        ask(space, tmp_path / "cut.png")
    with Image.open(tmp_path / "cut.png") as picture, pytest.raises(InputError, match="cannot be decoded"):
        ask(space, picture)


def test_terms_that_cancel_are_refused(space):
    for terms in ([Term("red", 2), Term("red", -2)], [Term("red", 0)], [Term("red"), Term("cyan")]):
        with pytest.raises(InputError, match=r"red.*, which cancel each other out; change a weight"):
            ask(space, *terms)


def test_unknown_words_are_named_among_known_ones(space):
    with pytest.raises(InputError, match="knows no word in 'zyx'"):
        ask(space, "red", "zyx")


def unit_rows(count):
    values = arrays(np.float64, (count, 8), elements=st.floats(-1, 1).map(lambda x: round(x, 3)))
    rows = values.filter(lambda rows: (np.linalg.norm(rows, axis=1) > 0.1).all())
    return rows.map(lambda rows: (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))


WEIGHT = st.floats(-1000, 1000).map(lambda weight: round(weight, 3))


@given(st.integers(1, 5).flatmap(lambda n: st.tuples(unit_rows(n), st.lists(WEIGHT, min_size=n, max_size=n))))
def test_a_combination_is_a_direction_or_nothing(case):
    rows, weights = case
    found = combine(rows, weights)
    total = sum(weight * row.astype(np.float64) for weight, row in zip(weights, rows, strict=True))
    size = np.linalg.norm(total)
    if found is None:
        assert size <= 1.1e-5 * sum(map(abs, weights))
    else:
        assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
        assert float(found @ total) == pytest.approx(size, rel=1e-4)


@given(unit_rows(3), st.permutations(range(3)), st.floats(0.01, 100))
def test_the_order_and_the_scale_of_weights_change_nothing(rows, order, scale):
    weights = np.array([1.0, 0.5, 0.25])
    found, other = combine(rows, weights.tolist()), combine(rows[order], (scale * weights[order]).tolist())
    if found is not None and other is not None:
        total = np.linalg.norm(weights @ rows)
        np.testing.assert_allclose(found, other, atol=1e-6 / total)
