import numpy as np
import pytest

from snapseek.errors import InputError
from snapseek.models import Encoder
from snapseek.models.queries.query_corpus import generate_queries
from snapseek.models.queries.sample_queries import sample_queries
from snapseek.models.text.text_encoder import TextEncoder
from snapseek.user_dirs import cache_dir


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def starter():
    return Encoder.load("starter")


def samples():
    return list((cache_dir() / "samples").glob("*"))


def test_sample_rows_are_the_vectors_of_generated_queries(starter):
    rows = sample_queries(starter, 50, seed=2)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    texts = [text for text in generate_queries(100, seed=2) if starter.text.knows([text])[0]]
    np.testing.assert_allclose(rows, starter.embed_texts(texts[:50]), atol=1e-5)


def test_a_sample_is_cached_by_model(starter, monkeypatch):
    first = sample_queries(starter, 20)
    assert len(samples()) == 1
    monkeypatch.setattr(TextEncoder, "embed_ids", None)  # nothing is embedded again
    np.testing.assert_array_equal(sample_queries(starter, 20), first)


def test_a_damaged_or_foreign_cached_sample_is_replaced(starter):
    first = sample_queries(starter, 20)
    (path,) = samples()
    for damage in (b"", b"no array", path.read_bytes()[:-40]):
        path.write_bytes(damage)
        np.testing.assert_array_equal(sample_queries(starter, 20), first)
    np.save(path.with_suffix(""), np.zeros((20, 3), np.float32))
    path.with_suffix(".npy").replace(path)
    np.testing.assert_array_equal(sample_queries(starter, 20), first)


def test_a_cache_that_cannot_be_written_does_not_fail(starter, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "file"))
    assert sample_queries(starter, 5).shape == (5, starter.dim)


def test_another_seed_is_another_sample(starter):
    assert not np.array_equal(sample_queries(starter, 20), sample_queries(starter, 20, seed=1))


def test_queries_of_unknown_words_are_left_out(encoder):
    rows = sample_queries(encoder, 100)
    assert rows.shape[1] == 3
    assert 0 < len(rows) <= 100


def test_no_query_at_all_is_refused(encoder):
    with pytest.raises(InputError, match="at least 1 query, got 0"):
        sample_queries(encoder, 0)
